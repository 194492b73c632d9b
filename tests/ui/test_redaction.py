"""What does not stand in a log."""

from __future__ import annotations

import time

import pytest

from ui.redaction import Redaction, without_persons

KEY = "tekio_0a1b2c3d_" + "Zz-_9" * 9
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJtb3JpIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize("secret", [KEY, TOKEN, "sk-1234567890abcdef"])
@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Bearer {}",
        "{{'authorization': 'Bearer {}'}}",
        "(b'Authorization', b'Bearer {}')",
        "bearer {}, and more",
    ],
)
def test_what_stands_behind_bearer_is_never_told(line: str, secret: str) -> None:
    written = Redaction()(line.format(secret))
    assert secret not in written
    assert "earer ***" in written


def test_keys_and_tokens_are_known_wherever_they_stand_and_engines_secrets_by_name() -> None:
    redaction = Redaction(["s3cret-of-the-engine", "short"])
    text = f"GET /x?key={KEY} then {TOKEN}; password s3cret-of-the-engine, a short one"
    assert redaction(text) == "GET /x?key=*** then ***; password ***, a short one"


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("write to mori.a+b@example.co.jp today", "write to [e-mail] today"),
        ("call 03-1234-5678 or +81 90 1234 5678", "call [phone] or [phone]"),
        ("電話は０３−１２３４−５６７８です", "電話は[phone]です"),
        ("patient 20394 weighs 82 kg", "patient [number] weighs 82 kg"),
        ("it costs 310,000 yen", "it costs [number] yen"),
        ("fired at 940 degrees for 9 hours", "fired at 940 degrees for 9 hours"),
    ],
)
def test_persons_are_taken_out_where_that_is_asked_for(text: str, rest: str) -> None:
    assert without_persons(text) == rest
    assert Redaction()(text) == text


@pytest.mark.parametrize("piece", ["a", "1", "eyJ-", "a.", "a@a-", "tekio_", "+1-"])
def test_a_long_line_of_somebody_who_was_not_let_in_keeps_nobody_waiting(piece: str) -> None:
    line = piece * (60_000 // len(piece))
    began = time.process_time()  # of this process alone, however busy the machine is
    Redaction(personal=True)(line)
    assert time.process_time() - began < 8, "it took half a minute when each place was looked at again"
