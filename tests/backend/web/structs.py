"""The structs that bind_golden.json was made with: every kind of type, nested."""

from __future__ import annotations

from backend.web.gotypes import ANY, BOOL, FLOAT, INT, STRING, Map, Pointer, Slice, Struct

MESSAGE = Struct("main.Msg", {"role": STRING, "content": STRING})
SCHEMA = Struct("main.Schema", {"name": STRING, "strict": Pointer(BOOL), "schema": Map(ANY)})
FORMAT = Struct("main.Format", {"type": STRING, "json_schema": Pointer(SCHEMA)})
REQUEST = Struct(
    "main.Req",
    {
        "model": STRING,
        "messages": Slice(MESSAGE),
        "temperature": Pointer(FLOAT),
        "max_tokens": Pointer(INT),
        "budget_tokens": INT,
        "stop": Slice(STRING),
        "response_format": Pointer(FORMAT),
        "jsonMode": BOOL,
        "labels": Map(STRING),
        "extra": ANY,
        "plain": FORMAT,
        "matrix": Slice(Slice(INT)),
        "rate": FLOAT,
    },
)
USER = Struct("main.CreateUserRequest", {"email": STRING, "password": STRING})
STRUCTS = {"req": REQUEST, "user": USER}
