"""Request bodies into structs as Echo's Bind does it: which media types are read, and what a failure is called.

Pure. The structs of this product name their fields for JSON only, so paths, queries and forms are read (and can be
malformed) but never fill a field.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import RequestError
from .gojson import JsonEndError, JsonError, JsonSyntaxError, JsonTypeError, decode
from .gotypes import Struct, zero

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
#: "%" that begins no escape, with what Go shows of it.
_BAD_ESCAPE = re.compile(rb"%(?![0-9a-fA-F]{2}).{0,2}", re.DOTALL)
_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"]+)"|([^\s;"]+))', re.IGNORECASE)


class BindError(RequestError):
    """A body that can't be read; str() is Go's text, ``code=400, message=…, internal=…``. Always answered with 400."""

    def __init__(self, text: str) -> None:
        super().__init__(400, text, "bind")


def bind(content_type: str, body: bytes, into: Struct) -> dict[str, Any]:
    """The fields of `into`, with Go's zero values where `body` has none. An empty body has any type and fills nothing.

    Raises:
        BindError
    """
    fields: dict[str, Any] = zero(into)
    if not body:
        return fields
    media_type = content_type.partition(";")[0].strip()
    if media_type == _JSON:
        return _json(body, into)
    if media_type == _FORM:
        _check_form(body)
    elif media_type == _MULTIPART:
        _check_multipart(content_type, body)
    else:
        raise BindError("code=415, message=Unsupported Media Type")
    return fields


def _json(body: bytes, into: Struct) -> dict[str, Any]:
    try:
        fields: dict[str, Any] = decode(body, into)
    except JsonTypeError as error:
        place = f"expected={error.expected}, got={error.got}, field={error.field}, offset={error.offset}"
        raise _bad(f"Unmarshal type error: {place}", error) from None
    except JsonSyntaxError as error:
        raise _bad(f"Syntax error: offset={error.offset}, error={error}", error) from None
    except JsonEndError as error:
        raise _bad(str(error), error) from None
    return fields


def _bad(message: str, internal: JsonError | str) -> BindError:
    return BindError(f"code=400, message={message}, internal={internal}")


def _check_form(body: bytes) -> None:
    """Refuse what Go's ParseForm can't read."""
    if b";" in body:
        why = "invalid semicolon separator in query"
        raise _bad(why, why)
    for part in re.split(rb"[&=]", body):
        if bad := _BAD_ESCAPE.search(part):
            shown = bad[0].decode("utf-8", "backslashreplace").replace('"', '\\"')
            why = f'invalid URL escape "{shown}"'
            raise _bad(why, why)


def _check_multipart(content_type: str, body: bytes) -> None:
    """Refuse a multipart body without a boundary, named or found; parts are not looked at."""
    boundary = _BOUNDARY.search(content_type)
    if boundary is None:
        why = "no multipart boundary param in Content-Type"
        raise _bad(why, why)
    if b"--" + (boundary[1] or boundary[2]).encode("latin-1") not in body:
        why = "multipart: NextPart: EOF"
        raise _bad(why, why)
