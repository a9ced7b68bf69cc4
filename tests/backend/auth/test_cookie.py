"""The session cookie beside what Go's securecookie and gob make and read."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backend.auth.cookie import KEPT, LIFETIME, MAX_LENGTH, SessionCookie, SessionTooLongError

SECRET = "test-secret-0123456789abcdefghijklmnop"
NOW = 1_795_414_588
RECORD = Path(__file__).parents[2] / "contract" / "record" / "http.json"
COOKIE = SessionCookie(SECRET)

#: E-mail and what Go 1.26 sealed for it at NOW, or its SHA-256 where that is long.
GO: list[tuple[str, str]] = [
    (
        "",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBal80QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dDQUFBPXxX1RzIPDiYEr25QToksOKy6mLA59vVHt6Fy8PNRAdptQ==",
    ),
    (
        "a",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBa180QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dEQUFGaHzNZFS2WMiPjMaOg6UQEBJRVdK6PT2SWiBSnda6eDnBtA==",
    ),
    (
        "ada@example.com",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBeV80QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dSQUE5aFpHRkFaWGhoYlhCc1pTNWpiMjA9fBpGzdfffKI8LtNLTLQt3K2osIPcVA3nzuLhHT85rg0j",
    ),
    (
        "zoë@exämple.com",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBMF80QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dUQUJGNmI4T3JRR1Y0dzZSdGNHeGxMbU52YlE9PXzWpL5I-4YdmaEZtLu1YPLE2SIlXBoT-ZfzLFXAKkB5lw==",
    ),
    (
        "日本@例え.jp",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBel80QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dTQUJEbWw2WG1uS3hBNUw2TDQ0R0lMbXB3fMFqdLF8GgHJf9QyOMDlUcVGeamMsclyU_hhaP-SHQmg",
    ),
    (
        "a\x00b",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBbV80QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dGQUFOaEFHST18tYlhyvUHL_Ew6o4457JhfkkidYzwDYIyQSo6s_nsXtQ=",
    ),
    (
        "<>&\"'",
        "MTc5NTQxNDU4OHxEWDhFQVFMX2dBQUJFQUVRQUFBb180QUFBUVp6ZEhKcGJtY01Dd0FKZFhObGNrVnRZV2xzQm5OMGNtbHVad3dIQUFVOFBpWWlKdz09fKzCSUlg9duFHbMT6A0x0D0OFvHx0jBs-hTAlZ7eNd2J",
    ),
    ("x" * 91, "7c6f4728636840ccfdb6c724b31454857d1900131dfeea770f3b5280f298380a"),
    ("x" * 92, "69b23520081aeb008ba0797077050be2281344bd270fb5016adc4b47260be4f0"),
    ("x" * 93, "5c0076645a37289b0aba8244183470e13eb86987e6b396808d726db516c259fc"),
    ("x" * 126, "0aab61c3912206fa278c61407b9a60f1dea17192e06dfdfa6a23058b7198a42f"),
    ("x" * 127, "4ae41dc8982be9588f14c7447a853b04a5db90b38c72833ed86dcf45bb1bbed2"),
    ("x" * 128, "3aae8469247a801eae2a1b7ebcfe7a7253e9733360ba59168cf4438d49e5bf9a"),
    ("x" * 200, "98ac083223595f1aa79dbf4442d02b11f8b1465bf5ba0335fe44dd84cb910790"),
    ("x" * 255, "cb86f35817eeb7df68f9d7a6ec21b972869a75d1d213d7443a34871a3624f192"),
    ("x" * 256, "c15786885df31b956324377165cbe5578390291510e1af675f871eb9926ec825"),
    ("x" * 2196, "b2616129809d9bc58da66228a0b45fe566ff757a1d3dbd172649767e0d6ca6ad"),
    ("x" * 2197, "49bebec40d347431aec46235325f22aca60173d59a7af6473f8da0ae8205244c"),
    ("x" * 2198, "a6b2249e76d7a27d7661e2af344cdc2ecda2d8d686f4a69e7f16b26f3783e442"),
]


def recorded() -> list[str]:
    steps = json.loads(RECORD.read_text())["steps"]
    lines = [value for step in steps for name, value in step["response"]["headers"] if name == "set-cookie"]
    return [line.partition("=")[2].partition(";")[0] for line in lines if line.startswith("session=")]


@pytest.mark.parametrize(("email", "sealed"), GO, ids=lambda each: f"{each[:20]!r}")
def test_sealed_as_go_seals(email: str, sealed: str) -> None:
    value = COOKIE.seal(email, NOW)
    assert sealed in (value, sha256(value.encode()).hexdigest())
    assert SessionCookie(SECRET).open(value, NOW) == email


@pytest.mark.parametrize("value", recorded())
def test_recorded_sessions_are_ours(value: str) -> None:
    began = int(urlsafe_b64decode(value).partition(b"|")[0])
    email = COOKIE.open(value, began)
    assert email is not None
    assert COOKIE.seal(email, began) == value


def test_a_session_that_does_not_fit() -> None:
    """Go seals no more either: 2,216 characters are the first too many there."""
    assert len(COOKIE.seal("x" * 2215, NOW)) <= MAX_LENGTH
    for length in (2216, 40_000, 70_000):
        with pytest.raises(SessionTooLongError):
            COOKIE.seal("x" * length, NOW)


@pytest.mark.parametrize(
    ("later", "email"), [(0, "a@b.cd"), (LIFETIME, "a@b.cd"), (LIFETIME + 1, None), (-86_400, "a@b.cd")]
)
def test_lifetime(later: int, email: str | None) -> None:
    """A session from the future is good, as in Go; the same value is asked twice, as the second time it is known."""
    cookie = SessionCookie(SECRET)
    value = cookie.seal("a@b.cd", NOW)
    assert cookie.open(value, NOW + later) == email
    assert cookie.open(value, NOW + later) == email


def test_other_secret_other_name() -> None:
    value = COOKIE.seal("a@b.cd", NOW)
    assert SessionCookie("other").open(value, NOW) is None
    signed = urlsafe_b64decode(value).rpartition(b"|")[0]
    foreign = signed + b"|" + hmac.digest(SECRET.encode(), b"other|" + signed, "sha256")
    assert COOKIE.open(urlsafe_b64encode(foreign).decode(), NOW) is None


@pytest.mark.parametrize(
    "change", [lambda v: v + "=", lambda v: v[:-1], lambda v: v.replace("J", "/"), lambda v: v * 40]
)
def test_an_altered_value(change: object) -> None:
    value = COOKIE.seal("ada@example.com", NOW)
    assert callable(change)
    assert change(value) != value
    assert COOKIE.open(change(value), NOW) is None


def test_what_is_remembered_is_bounded() -> None:
    cookie = SessionCookie(SECRET)
    values = [cookie.seal(f"{number}@example.com", NOW) for number in range(KEPT + 10)]
    for number, value in enumerate(values):
        assert cookie.open(value, NOW) == f"{number}@example.com"
    assert len(cookie._opened) == KEPT
    assert cookie.open(values[0], NOW) == "0@example.com"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=500), st.integers(0, 2**40))
def test_round_trip(email: str, now: int) -> None:
    assert SessionCookie(SECRET).open(COOKIE.seal(email, now), now) == email


@given(st.text() | st.text("AQ_-=|"))
def test_any_text_is_refused(value: str) -> None:
    assert COOKIE.open(value, NOW) is None


def sealed(time: bytes, gob: bytes) -> str:
    """What only the holder of the secret can make."""
    signed = time + b"|" + urlsafe_b64encode(gob)
    return urlsafe_b64encode(signed + b"|" + hmac.digest(SECRET.encode(), b"session|" + signed, "sha256")).decode()


GOB = urlsafe_b64decode(urlsafe_b64decode(COOKIE.seal("ada@example.com", NOW)).split(b"|")[1])


@given(st.binary() | st.integers(0, len(GOB)).map(lambda cut: GOB[:cut]) | st.binary().map(lambda more: GOB + more))
@example(GOB[:-1] + b"\xff")
def test_a_signed_gob_of_another_shape_is_refused(gob: bytes) -> None:
    """Also with the right secret no length in a gob is believed."""
    assert COOKIE.open(sealed(b"%d" % NOW, gob), NOW) == ("ada@example.com" if gob == GOB else None)


@given(st.integers(0, len(GOB) - 16), st.integers(0, 255))
def test_a_signed_gob_with_another_byte_is_refused(at: int, byte: int) -> None:
    gob = GOB[:at] + bytes((byte,)) + GOB[at + 1 :]
    assert COOKIE.open(sealed(b"%d" % NOW, gob), NOW) == ("ada@example.com" if gob == GOB else None)


@given(st.binary(max_size=30).filter(lambda time: b"|" not in time))
def test_a_signed_time_that_is_none_is_refused(time: bytes) -> None:
    if COOKIE.open(sealed(time, GOB), NOW) is not None:
        assert int(time) >= NOW - LIFETIME
