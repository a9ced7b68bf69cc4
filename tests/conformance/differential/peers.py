"""The proxies that are compared: this router, nginx and HAProxy, each before its own instance of one upstream.

All three run with the defaults of their manuals, and time-outs of a second, so that a request without an end ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.router import free_port, running_router
from tests.conformance.upstream import Upstream

START = 10.0
#: Debian puts servers where not every user's PATH looks.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"

ROUTER = """
[health]
interval = 0
[timeouts]
head = "1s"
body_idle = "1s"
first_byte = "4s"
linger = "200ms"
"""

NGINX = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_header_timeout 1s;
    client_body_timeout 1s;
    keepalive_timeout 1s;
    lingering_timeout 200ms;
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 16; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
        }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 1
defaults
    mode http
    timeout connect 2s
    timeout client 1s
    timeout http-request 1s
    timeout server 4s
frontend clients
    bind 127.0.0.1:{port}
    default_backend app
backend app
    server one 127.0.0.1:{upstream}
"""


class Missing(Exception):
    """A proxy isn't installed; says which package has it."""


@dataclass(frozen=True)
class Peer:
    """A running proxy and the upstream that only it talks to."""

    name: str
    port: int
    upstream: Upstream


@contextlib.contextmanager
def running(name: str, folder: Path) -> Iterator[Peer]:
    """`name` is router, nginx or haproxy; raises `Missing`."""
    upstream = Upstream()
    try:
        if name == "router":
            with running_router(folder, upstream, upstream, settings=ROUTER, routes="") as router:
                yield Peer(name, router.port, upstream)
        else:
            port = free_port()
            with _process(name, folder, port, upstream.port):
                yield Peer(name, port, upstream)
    finally:
        upstream.shut()


@contextlib.contextmanager
def _process(name: str, folder: Path, port: int, upstream: int) -> Iterator[None]:
    program = shutil.which(name, path=PATH)
    if program is None:
        raise Missing(f"{name} isn't installed; on Debian: apt-get install {name}")
    config = folder / f"{name}.conf"
    text = NGINX if name == "nginx" else HAPROXY
    config.write_text(text.format(folder=folder, port=port, upstream=upstream))
    options = ["-e", str(folder / "early.log"), "-c"] if name == "nginx" else ["-db", "-f"]
    log = folder / f"{name}.output"
    with log.open("wb") as output:
        process = subprocess.Popen([program, *options, str(config)], stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_accepting(port, process, log)
        yield
    finally:
        process.kill()
        process.wait()


def _wait_accepting(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise AssertionError(f"{process.args!r} doesn't accept:\n{log.read_text(errors='replace')[-2000:]}")
