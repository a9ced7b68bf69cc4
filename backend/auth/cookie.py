"""The session cookie, byte for byte as gorilla's securecookie makes it around a gob of ``map[any]any``.

Pure; time is passed in as Unix seconds. The value is base64url of ``time|base64url(gob)|mac``, where mac is
HMAC-SHA256 over ``session|time|base64url(gob)``. The gob holds one entry, "userEmail". A reader of gob follows lengths
that came from outside; here the only gob that is accepted is the one that `seal` would have written for its e-mail.
"""

from __future__ import annotations

import hmac
import re
from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64

from ..errors import BackendError

#: Seconds that a session lives.
LIFETIME = 30 * 86_400
#: securecookie neither makes nor reads a longer value.
MAX_LENGTH = 4096
#: Sessions that are remembered once their MAC was checked; 1 MB when e-mails are of usual length.
KEPT = 2048

_NAME = b"session|"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_TIME = re.compile(rb"[+-]?[0-9]{1,19}")

# encoding/gob: a message is its length and its bytes. The first defines type 64 as a map of interfaces; the second is
# a value of it (type 64, one entry): for key and value the name of the concrete type, its number (6, as the signed 12),
# the length of what follows, and a zero before the string with its length.
_TYPE = b"\x0d\x7f\x04\x01\x02\xff\x80\x00\x01\x10\x01\x10\x00\x00"
_STRING = b"\x06string\x0c"
_HEAD = b"\xff\x80\x00\x01" + _STRING + b"\x0b\x00\x09userEmail" + _STRING


class SessionTooLongError(BackendError):
    """The e-mail is too long for a session cookie: the value would have more than 4,096 bytes."""

    label = "session_too_long"


class SessionCookie:
    """Writes and reads the cookie's value with the secret that both backends share."""

    __slots__ = ("_opened", "_secret")

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        #: E-mail and beginning of sessions that were opened before: a user sends the same one all day.
        self._opened: dict[str, tuple[str, int]] = {}

    def seal(self, email: str, now: int) -> str:
        """The value of a session that begins at `now`.

        Raises:
            SessionTooLongError
        """
        signed = b"%d|%b" % (now, urlsafe_b64encode(_gob(email.encode())))
        value = urlsafe_b64encode(b"%b|%b" % (signed, self._mac(signed)))
        if len(value) > MAX_LENGTH:
            raise SessionTooLongError("the e-mail address is too long for a session")
        return value.decode("ascii")

    def open(self, value: str, now: int) -> str | None:
        """The e-mail of a session that is ours and not older than 30 days at `now`; None for any other value."""
        session = self._opened.get(value)
        if session is None:
            session = self._read(value)
            if session is None:
                return None
            if len(self._opened) >= KEPT:
                del self._opened[next(iter(self._opened))]
            self._opened[value] = session
        email, began = session
        return email if began >= now - LIFETIME else None

    def _read(self, value: str) -> tuple[str, int] | None:
        """E-mail and beginning of a session that was sealed with our secret."""
        if len(value) > MAX_LENGTH or (content := _decoded(value.encode("utf-8", "replace"))) is None:
            return None
        time, first, rest = content.partition(b"|")
        gob, second, mac = rest.partition(b"|")
        if not (first and second and hmac.compare_digest(mac, self._mac(b"%b|%b" % (time, gob)))):
            return None
        email = _email(gob)
        return (email, int(time)) if email is not None and _TIME.fullmatch(time) else None

    def _mac(self, signed: bytes) -> bytes:
        return hmac.digest(self._secret, _NAME + signed, "sha256")


def _decoded(text: bytes) -> bytes | None:
    """Bytes of base64url with its padding; None if it isn't that."""
    if len(text) % 4 or b"+" in text or b"/" in text:
        return None
    try:
        return a2b_base64(text.translate(_STANDARD), strict_mode=True)
    except Error:
        return None


def _email(text: bytes) -> str | None:
    """The e-mail of a gob in base64url."""
    gob = _decoded(text)
    if gob is None or (at := gob.find(_HEAD)) < 0:
        return None
    # Behind the head stand the length of the rest, a zero, the e-mail's own length, and the e-mail.
    at += len(_HEAD)
    at += _width(gob, at) + 1
    email = gob[at + _width(gob, at) :]
    if gob != _gob(email):
        return None
    try:
        return email.decode()
    except UnicodeDecodeError:
        return None


def _gob(email: bytes) -> bytes:
    string = b"\x00" + _uint(len(email)) + email
    value = _HEAD + _uint(len(string)) + string
    return _TYPE + _uint(len(value)) + value


def _uint(number: int) -> bytes:
    """gob's unsigned integer: one byte below 128, else the negated count of its bytes before them."""
    if number < 128:
        return bytes((number,))
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((256 - len(data),)) + data


def _width(gob: bytes, at: int) -> int:
    """Bytes of the unsigned integer at `at`."""
    first = gob[at] if at < len(gob) else 0
    return 1 if first < 128 else 257 - first
