"""What does not stand in a log."""

from __future__ import annotations

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
