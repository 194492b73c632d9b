"""PDFs that need a password, made here and public ones."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pypdf
import pytest

from ingest.blocks import Outcome, ReadError, ReadOptions
from ingest.readers.pdf import read
from ingest.readers.pdf_second import SecondEngine

Make = Callable[..., bytes]
Place = Callable[..., list[Any]]

TEXT = ["The ward keeps its medicines in a locked cupboard that only the nurse in charge may open."]
JAPANESE = "薬局の合言葉🔑ﾊﾟｽ"
# Of the tests of Apache Tika: spaces at both ends, quotes, a backslash, fractions, signs beyond the BMP.
TIKA = '  ! < > " \\ € œ ¤ 1⁄4 1⁄2 \U0002070e \U00029d98 \U0001f600  '


def encrypted(data: bytes, user: str, owner: str, algorithm: str = "AES-256") -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(data))
    writer.encrypt(user_password=user, owner_password=owner, algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def text(data: bytes, *passwords: str) -> str:
    return "\n".join(block.text for block in read(data, ReadOptions(passwords=passwords)).blocks)


def refusal(data: bytes, *passwords: str) -> str:
    with pytest.raises(ReadError) as error:
        read(data, ReadOptions(passwords=passwords))
    assert error.value.outcome is Outcome.ENCRYPTED
    return str(error.value)


@pytest.mark.parametrize("algorithm", ["AES-256", "AES-256-R5", "AES-128", "RC4-128", "RC4-40"])
def test_the_user_and_the_owner_password_both_open_a_file(
    make_pdf: Make, place: Place, algorithm: str
) -> None:
    data = encrypted(make_pdf([place(TEXT)]), "of the user", "of the owner", algorithm)
    assert text(data, "of the user") == text(data, "of the owner") == TEXT[0]


@pytest.mark.parametrize("password", [JAPANESE, "パスワード", "pässwörd €", "ｆｕｌｌ　ｗｉｄｔｈ"])
def test_passwords_in_japanese_and_with_emoji_open_a_file(
    make_pdf: Make, place: Place, password: str
) -> None:
    assert text(encrypted(make_pdf([place(TEXT)]), password, "x"), "wrong", password) == TEXT[0]


def test_passwords_are_tried_in_order_and_the_empty_one_first(make_pdf: Make, place: Place) -> None:
    plain = make_pdf([place(TEXT)])
    assert text(encrypted(plain, "", "secret"), "not it") == TEXT[0]
    assert text(encrypted(plain, "third", "x"), "first", "second", "third") == TEXT[0]
    assert text(plain, "not needed") == TEXT[0]


def test_a_refusal_says_what_to_do_and_holds_no_password(make_pdf: Make, place: Place) -> None:
    data = encrypted(make_pdf([place(TEXT)]), "hidden", "hidden too")
    assert refusal(data) == "needs a password: give it by --password, or save it without one"
    assert refusal(data, "wr0ng") == "the password does not open it"
    assert refusal(data, "wr0ng", "wr0ng2", "") == "none of the 3 passwords opens it"


def test_the_second_engine_is_given_the_password_too(make_pdf: Make, place: Place) -> None:
    plain = make_pdf([place(TEXT), place(TEXT)], broken=[2])
    fixed = plain.replace(b"(unfinished <<< ]] > Tj", b"72 700 Td (Still read.) Tj )")
    result = read(encrypted(fixed, JAPANESE, "x"), ReadOptions(passwords=(JAPANESE,)))
    assert "Still read." in result.blocks[-1].text
    assert set(result.engines) <= {"pypdf", "pypdfium2"}


def test_what_only_the_first_engine_can_open_is_handed_to_the_second_decrypted(
    make_pdf: Make, place: Place
) -> None:
    plain = make_pdf([place(TEXT)])
    second = SecondEngine(encrypted(plain, "a", "b"), "no password of it", lambda: plain)
    try:
        assert "".join(piece.text for piece in second.fragments(1)) == TEXT[0]
    finally:
        second.close()


def test_public_files_open_with_their_passwords(documents: Path) -> None:
    lorem = (documents / "sample-files__libreoffice-writer-password.pdf").read_bytes()
    assert text(lorem, "nope", "openpassword").startswith("Lorem ipsum dolor sit amet")
    assert refusal(lorem, "nope") == "the password does not open it"
    assert text((documents / "tika__testUnicodePassword.pdf").read_bytes(), TIKA) == "Just some text."


@pytest.mark.parametrize(
    "name", ["sample-files__libreoffice-writer-password.pdf", "tika__testUnicodePassword.pdf"]
)
def test_public_files_with_a_password_are_named_as_encrypted(documents: Path, name: str) -> None:
    assert "--password" in refusal((documents / name).read_bytes())
