"""The configuration of every peer, as text. Each peer is set up as its own manual advises for speed.

No access logs, connections to the upstream kept alive without a limit on requests, one worker or thread.
Where a default would hurt a peer only in this bench (nginx writes large answers to disk for slow
clients, Envoy allows 1,024 connections), the setting favours the peer: a ratio must not be won by a bad setup.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ANSWER = '{"status":"ok","service":"bench","n":40}'  # 40 bytes
_UNLIMITED = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Setup:
    """What a proxy is started with."""

    port: int
    upstream: int
    cores: frozenset[int]
    workers: int = 1
    certificate: Path | None = None
    """PEM with the chain and the key; TLS on the listener when given."""


def _nginx(folder: Path, workers: int, http: str) -> str:
    temp = "".join(
        f"{kind}_temp_path {folder}/nginx-temp-{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""
daemon off;
pid {folder}/nginx-{abs(hash(http))}.pid;
error_log stderr error;
worker_processes {workers};
worker_rlimit_nofile 20000;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    server_tokens off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests {_UNLIMITED};
    keepalive_timeout 300s;
    client_max_body_size 0;
    {temp}
    {http}
}}
"""


def nginx_upstream(folder: Path, port: int, files: Path) -> str:
    # `return` would answer before it has read a body; `mirror` makes nginx read it first, so that a POST isn't
    # an early answer (after which a proxy rightly closes the connection).
    return _nginx(
        folder,
        1,
        f"""
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        default_type application/json;
        location / {{ return 200 '{ANSWER}'; }}
        location = /post {{ mirror /read; root {files}; error_page 405 =200 @answer; }}
        location = /read {{ internal; return 204; }}
        location @answer {{ return 200 '{ANSWER}'; }}
        location /files/ {{ root {files}; default_type application/octet-stream; }}
    }}""",
    )


def nginx_proxy(folder: Path, setup: Setup) -> str:
    tls = setup.certificate
    secure = f"ssl_certificate {tls}; ssl_certificate_key {tls};" if tls else ""
    return _nginx(
        folder,
        setup.workers,
        f"""
    upstream app {{
        server 127.0.0.1:{setup.upstream};
        keepalive 1024;
        keepalive_requests {_UNLIMITED};
    }}
    server {{
        listen 127.0.0.1:{setup.port} {"ssl" if tls else ""} backlog=4096 {"reuseport" if setup.workers > 1 else ""};
        {secure}
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_max_temp_file_size 0;
        }}
    }}""",
    )


def haproxy(setup: Setup) -> str:
    tls = f" ssl crt {setup.certificate}" if setup.certificate else ""
    return f"""
global
    nbthread {setup.workers}
    maxconn 8192
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    timeout connect 2s
    timeout client 75s
    timeout server 60s
frontend clients
    bind 127.0.0.1:{setup.port} backlog 4096{tls}
    default_backend app
backend app
    http-reuse always
    server one 127.0.0.1:{setup.upstream} pool-max-conn -1
"""


def envoy(setup: Setup) -> str:
    return f"""
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {setup.port}}}}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: clients
          codec_type: HTTP1
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{prefix: "/"}}
                route: {{cluster: app, timeout: 0s}}
  clusters:
  - name: app
    type: STATIC
    connect_timeout: 2s
    circuit_breakers:
      thresholds: [{{max_connections: 8192, max_pending_requests: 8192, max_requests: 8192}}]
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {setup.upstream}}}}}}}
"""
