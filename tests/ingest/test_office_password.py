from __future__ import annotations

import io
from pathlib import Path

import openpyxl
import pytest

from ingest.blocks import Outcome, ReadError, ReadOptions
from ingest.readers import read_file


def locked_workbook(password: str) -> bytes:
    from msoffcrypto.format.ooxml import OOXMLFile

    book = openpyxl.Workbook()
    book.active["A1"] = "秘密の値"
    plain, locked = io.BytesIO(), io.BytesIO()
    book.save(plain)
    OOXMLFile(plain).encrypt(password, locked)
    return locked.getvalue()


def refusal(data: bytes, *passwords: str) -> tuple[Outcome, str]:
    with pytest.raises(ReadError) as error:
        read_file(Path("locked.xlsx"), data, ReadOptions(passwords=passwords))
    return error.value.outcome, str(error.value)


def test_one_of_the_passwords_opens_it() -> None:
    result = read_file(
        Path("locked.xlsx"), locked_workbook("合言葉 1"), ReadOptions(passwords=("wrong", "合言葉 1"))
    )
    assert result.format == "xlsx"
    assert result.blocks[-1].text == "秘密の値"


def test_without_the_password_it_is_named_encrypted() -> None:
    data = locked_workbook("right")
    assert refusal(data) == (Outcome.ENCRYPTED, "needs a password: give it by --password")
    assert refusal(data, "s3cret", "") == (Outcome.ENCRYPTED, "none of the passwords opens it")


def test_a_damaged_one_says_so_without_the_password() -> None:
    data = locked_workbook("right")
    at = data.find("EncryptedPackage".encode("utf-16-le"))
    outcome, message = refusal(data[: max(600, at + 64)], "s3cret-word")
    assert outcome in (Outcome.FAILED, Outcome.ENCRYPTED)
    assert "s3cret-word" not in message


def test_public_word_file(documents: Path) -> None:
    path = documents / "tika__testWORD_protected_passtika.docx"
    result = read_file(path, options=ReadOptions(passwords=("tika",)))
    assert result.format == "docx"
    assert "This is an encrypted Word 2007 File" in " ".join(block.text for block in result.blocks)
    with pytest.raises(ReadError, match="needs a password"):
        read_file(path)
