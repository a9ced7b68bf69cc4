"""The differential's cases of the request line, its target and Host (RFC 9112 2, 3 and 5)."""

from __future__ import annotations

from tests.conformance.differential.case import GET, HEAD, Case

OLDEST = "all refuse HTTP/0.9; nginx without a status line"
HOSTLESS = (
    "1.0 needs no Host, the 1.1 request that goes on does: ours names the upstream, nginx's and HAProxy's have none"
)
VERSION = (
    "F3: a version that we don't speak is refused, 505; nginx takes any 1.x, HAProxy any one-digit version, for 1.1"
)
STATUS = "the same refusal by another status"
PREFACE = "HTTP/2 isn't spoken on this listener; HAProxy speaks it unasked"
EMPTY = "RFC 9112 2.2 asks to ignore one empty line before a request; we ignore two, and not for ever"
BARE_LF = "RFC 9112 2.2 lets a recipient take a bare LF for CRLF; readers that don't then see other lines, so we refuse"
SPACES = "RFC 9112 3: one space between the parts; recipients that split on any white space read other requests"
ASCII = "only visible ASCII makes a URI (RFC 3986 2); the other forwards it, and the upstream refuses"
FRAGMENT = "H1: a target has no fragment (RFC 9112 3.2)"
OPAQUE = "the target goes on byte for byte and isn't resolved or decoded here, so nothing in it is an error"
LONG = "H5: a target has at most 8 KiB; HAProxy's limit is its buffer, 16 KiB with all fields"
ORIGIN = (
    "H1: an absolute target becomes origin-form, as RFC 9112 3.2.2 asks towards a server; HAProxy forwards it as it is"
)
AUTHORITY = (
    "H1: the target's authority replaces Host (RFC 9112 3.2.2); nginx keeps the client's, HAProxy refuses the "
    "contradiction"
)
ABSOLUTE_QUERY = "H1: an empty path before a query is `/` (RFC 9110 4.2.3); HAProxy takes the `?` into the authority"
SCHEME = "H1: only http and https targets mean something here"
USERINFO = "RFC 9110 4.2.4: userinfo in a target is an error"
NO_AUTHORITY = "RFC 9110 4.2.1: an http URL without a host is invalid"
HOST_NEEDED = "RFC 9112 3.2: 1.1 needs Host; HAProxy leaves that to the upstream"
ASTERISK = "RFC 9112 3.2.4: `*` is for OPTIONS, and for it only"
TUNNEL = "H1: CONNECT makes a tunnel, and this is a gateway: 405"
METHOD = "methods outside the IANA registry get 501: an unknown one could have framing of its own"
TRACE = "TRACE is the upstream's affair; nginx never forwards it"
HOST_EMPTY = "H1: an empty Host says nothing of an origin-form request; HAProxy forwards it"
HOST_TWICE = "H1: RFC 9112 3.2: more than one Host is refused; HAProxy merges equal ones"
HOST_GRAMMAR = (
    "H1: Host is a name or an address with a port (RFC 9110 7.2), nothing else; others forward more of what isn't"
)
FOLD = "RFC 9112 5.2 allows to refuse a folded field; HAProxy unfolds it"

CASES = [
    # Request line.
    Case("plain", GET + b"\r\n", "200 keeps · GET /p"),
    Case("http-0.9", b"GET /p\r\n", "400", nginx="closed", why=OLDEST),
    Case("http-0.9-fields", b"GET /p\r\nHost: h\r\n\r\n", "400", nginx="closed", why=OLDEST),
    Case(
        "http-1.0",
        b"GET /p HTTP/1.0\r\n\r\n",
        "200 · GET /p host=UPSTREAM",
        nginx="400 by the upstream",
        haproxy="200 · GET /p",
        why=HOSTLESS,
    ),
    Case("http-1.0-keep-alive", b"GET /p HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n", "200 keeps · GET /p"),
    Case(
        "http-1.2",
        b"GET /p HTTP/1.2\r\nHost: h\r\n\r\n",
        "505",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET /p",
        why=VERSION,
    ),
    Case(
        "http-1.10",
        b"GET /p HTTP/1.10\r\nHost: h\r\n\r\n",
        "505",
        nginx="200 keeps · GET /p",
        haproxy="400",
        why=VERSION,
    ),
    Case("http-1", b"GET /p HTTP/1\r\nHost: h\r\n\r\n", "505", nginx="400", haproxy="400", why=STATUS),
    Case("http-01.1", b"GET /p HTTP/01.1\r\nHost: h\r\n\r\n", "505", nginx="400", haproxy="400", why=STATUS),
    Case("http-2.0", b"GET /p HTTP/2.0\r\nHost: h\r\n\r\n", "505", haproxy="200 keeps · GET /p", why=VERSION),
    Case("http-lower-case", b"GET /p http/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("http-other-name", b"GET /p HTTQ/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("http2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505", nginx="400", haproxy="no HTTP/1", why=PREFACE),
    Case("tls-hello", b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03\r\n\r\n", "400"),
    Case("empty-line-before", b"\r\n" + GET + b"\r\n", "200 keeps · GET /p"),
    Case(
        "empty-lines-before",
        b"\r\n\r\n\r\n" + GET + b"\r\n",
        "400",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET /p",
        why=EMPTY,
    ),
    Case(
        "bare-lf-before",
        b"\n" + GET + b"\r\n",
        "400",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET /p",
        why=BARE_LF,
    ),
    Case(
        "two-spaces",
        b"GET  /p  HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET /p",
        why=SPACES,
    ),
    Case("tabs", b"GET\t/p\tHTTP/1.1\r\nHost: h\r\n\r\n", "400", haproxy="200 keeps · GET /p", why=SPACES),
    Case("space-before", b" GET /p HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("space-after", b"GET /p HTTP/1.1 \r\nHost: h\r\n\r\n", "400", nginx="200 keeps · GET /p", why=SPACES),
    Case("space-in-target", b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("no-target", b"GET HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("cr-in-line", b"GET /a\rb HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("cr-cr-lf", b"GET /p HTTP/1.1\r\r\nHost: h\r\n\r\n", "400"),
    Case(
        "lf-everywhere",
        b"GET /p HTTP/1.1\nHost: h\n\n",
        "400",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET /p",
        why=BARE_LF,
    ),
    Case(
        "lf-request-line",
        b"GET /p HTTP/1.1\nHost: h\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET /p",
        why=BARE_LF,
    ),
    Case("nul-in-target", b"GET /a\0b HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case(
        "del-in-target",
        b"GET /a\x7fb HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        haproxy="400 by the upstream keeps",
        why=ASCII,
    ),
    Case(
        "utf-8-in-target",
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        nginx="400 by the upstream keeps",
        why=ASCII,
    ),
    Case("fragment", b"GET /p#f HTTP/1.1\r\nHost: h\r\n\r\n", "400", nginx="200 keeps · GET /p#f", why=FRAGMENT),
    Case("dots", b"GET /a/../b/./c HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · GET /a/../b/./c"),
    Case(
        "dots-above-root",
        b"GET /../../p HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /../../p",
        nginx="400",
        why=OPAQUE,
    ),
    Case("encoded-dots", b"GET /a/%2e%2e/b%2Fc HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · GET /a/%2e%2e/b%2Fc"),
    Case("slashes", b"GET //a///b HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · GET //a///b"),
    Case("percent-nul", b"GET /a%00b HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · GET /a%00b", nginx="400", why=OPAQUE),
    Case("percent-bad", b"GET /a%zz HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · GET /a%zz", nginx="400", why=OPAQUE),
    Case(
        "not-uri-characters",
        b'GET /a"b<c>{d}|e\\f^g` HTTP/1.1\r\nHost: h\r\n\r\n',
        '200 keeps · GET /a"b<c>{d}|e\\\\f^g`',
    ),
    Case(
        "long-target",
        b"GET /" + b"a" * 8100 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaa… 8101 bytes",
    ),
    Case(
        "longer-target",
        b"GET /" + b"a" * 8300 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
        "414",
        haproxy="200 keeps · GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaa… 8301 bytes",
        why=LONG,
    ),
    # Forms of target.
    Case(
        "absolute",
        b"GET http://other/p?q HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /p?q host=other",
        nginx="200 keeps · GET /p?q",
        haproxy="400",
        why=AUTHORITY,
    ),
    Case(
        "absolute-same",
        b"GET http://h/p HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /p",
        haproxy="200 keeps · GET http://h/p",
        why=ORIGIN,
    ),
    Case(
        "absolute-no-path",
        b"GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /",
        haproxy="200 keeps · GET http://h",
        why=ORIGIN,
    ),
    Case(
        "absolute-query",
        b"GET http://h?q HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /?q",
        haproxy="400",
        why=ABSOLUTE_QUERY,
    ),
    Case(
        "absolute-https",
        b"GET https://h/p HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 keeps · GET /p",
        haproxy="200 keeps · GET https://h/p",
        why=ORIGIN,
    ),
    Case(
        "absolute-ftp",
        b"GET ftp://h/p HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p",
        haproxy="200 keeps · GET ftp://h/p",
        why=SCHEME,
    ),
    Case(
        "absolute-userinfo",
        b"GET http://u:p@h/p HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        haproxy="200 keeps · GET http://u:p@h/p",
        why=USERINFO,
    ),
    Case(
        "absolute-no-host-field",
        b"GET http://h/p HTTP/1.1\r\n\r\n",
        "400",
        haproxy="400 by the upstream keeps",
        why=HOST_NEEDED,
    ),
    Case(
        "absolute-no-authority",
        b"GET http:///p HTTP/1.1\r\nHost: h\r\n\r\n",
        "400",
        haproxy="200 keeps · GET http:///p",
        why=NO_AUTHORITY,
    ),
    Case(
        "asterisk-options", b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · OPTIONS *", nginx="400", why=ASTERISK
    ),
    Case("asterisk-get", b"GET * HTTP/1.1\r\nHost: h\r\n\r\n", "400", haproxy="200 keeps · GET *", why=ASTERISK),
    Case("authority", b"GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case(
        "connect",
        b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n",
        "405",
        nginx="400",
        haproxy="200 keeps · CONNECT h:80",
        why=TUNNEL,
    ),
    Case("relative", b"GET p HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("query-only", b"GET ?q HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    # Method.
    Case(
        "method-lower",
        b"get /p HTTP/1.1\r\nHost: h\r\n\r\n",
        "501",
        nginx="400",
        haproxy="200 keeps · get /p",
        why=METHOD,
    ),
    Case(
        "method-unknown",
        b"BREW /p HTTP/1.1\r\nHost: h\r\n\r\n",
        "501",
        nginx="200 keeps · BREW /p",
        haproxy="200 keeps · BREW /p",
        why=METHOD,
    ),
    Case(
        "method-dash",
        b"X-GET /p HTTP/1.1\r\nHost: h\r\n\r\n",
        "501",
        nginx="200 keeps · X-GET /p",
        haproxy="200 keeps · X-GET /p",
        why=METHOD,
    ),
    Case("method-not-a-token", b"GE(T /p HTTP/1.1\r\nHost: h\r\n\r\n", "400"),
    Case("method-trace", b"TRACE /p HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · TRACE /p", nginx="405", why=TRACE),
    Case("method-propfind", b"PROPFIND /p HTTP/1.1\r\nHost: h\r\n\r\n", "200 keeps · PROPFIND /p"),
    Case("head", HEAD + b"\r\n", "200 keeps · HEAD /p"),
    # Host.
    Case("host-missing", b"GET /p HTTP/1.1\r\n\r\n", "400", haproxy="400 by the upstream keeps", why=HOST_NEEDED),
    Case("host-empty", b"GET /p HTTP/1.1\r\nHost:\r\n\r\n", "400", haproxy="200 keeps · GET /p host=", why=HOST_EMPTY),
    Case("host-twice", b"GET /p HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "400"),
    Case(
        "host-twice-same",
        b"GET /p HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
        "400",
        haproxy="200 keeps · GET /p",
        why=HOST_TWICE,
    ),
    Case(
        "host-list",
        b"GET /p HTTP/1.1\r\nHost: h, i\r\n\r\n",
        "400",
        haproxy="200 keeps · GET /p host=h, i",
        why=HOST_GRAMMAR,
    ),
    Case(
        "host-space",
        b"GET /p HTTP/1.1\r\nHost: h i\r\n\r\n",
        "400",
        haproxy="200 keeps · GET /p host=h i",
        why=HOST_GRAMMAR,
    ),
    Case(
        "host-slash",
        b"GET /p HTTP/1.1\r\nHost: h/i\r\n\r\n",
        "400",
        haproxy="200 keeps · GET /p host=h/i",
        why=HOST_GRAMMAR,
    ),
    Case(
        "host-userinfo",
        b"GET /p HTTP/1.1\r\nHost: u@h\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p host=u@h",
        haproxy="200 keeps · GET /p host=u@h",
        why=HOST_GRAMMAR,
    ),
    Case(
        "host-bad-port",
        b"GET /p HTTP/1.1\r\nHost: h:x\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p host=h:x",
        haproxy="200 keeps · GET /p host=h:x",
        why=HOST_GRAMMAR,
    ),
    Case("host-port", b"GET /p HTTP/1.1\r\nHost: h:81\r\n\r\n", "200 keeps · GET /p host=h:81"),
    Case("host-v6", b"GET /p HTTP/1.1\r\nHost: [::1]:81\r\n\r\n", "200 keeps · GET /p host=[::1]:81"),
    Case("host-upper", b"GET /p HTTP/1.1\r\nHost: H.Example\r\n\r\n", "200 keeps · GET /p host=H.Example"),
    Case("host-underscore", b"GET /p HTTP/1.1\r\nHost: a_b\r\n\r\n", "200 keeps · GET /p host=a_b"),
    Case(
        "host-nul",
        b"GET /p HTTP/1.1\r\nHost: h\0i\r\n\r\n",
        "400",
        haproxy="400 by the upstream keeps",
        why=HOST_GRAMMAR,
    ),
    Case(
        "host-utf-8",
        b"GET /p HTTP/1.1\r\nHost: caf\xc3\xa9\r\n\r\n",
        "400",
        nginx="200 keeps · GET /p host=caf\\xc3\\xa9",
        haproxy="200 keeps · GET /p host=caf\\xc3\\xa9",
        why=HOST_GRAMMAR,
    ),
    Case(
        "host-folded",
        b"GET /p HTTP/1.1\r\nHost: h\r\n\ti\r\n\r\n",
        "400",
        haproxy="200 keeps · GET /p host=h  \\ti",
        why=FOLD,
    ),
    Case("host-space-before-colon", b"GET /p HTTP/1.1\r\nHost : h\r\n\r\n", "400"),
    Case("host-not-first", b"GET /p HTTP/1.1\r\nX-A: 1\r\nHost: h\r\n\r\n", "200 keeps · GET /p x-a=1"),
]
