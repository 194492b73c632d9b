"""What goes wrong in deeper parts, as the page tells it: in its own language."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import pypdf
import pytest

from ingest.blocks import ReadError
from ingest.readers import read_file
from ingest.report import FileReport
from kernel.settings import load_settings
from retrieval.database import Database
from retrieval.errors import TekioError
from retrieval.filter_text import parse_filter
from tests.ui.page.test_pages import html_of, page
from ui.chat_engine import Engine
from ui.page.here import Here
from ui.page.uploading import outcome_html

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio


LANGUAGES = ("en", "ja")


def told(error: BaseException | str) -> list[str]:
    """Return how the page tells an error, in English and in Japanese."""
    settings = load_settings()
    engine = Engine(settings)
    try:
        return [Here(engine, None, language, settings).worded(error) for language in LANGUAGES]
    finally:
        engine.close()


def raised(call: Callable[[], object]) -> Exception:
    with pytest.raises((TekioError, ReadError)) as caught:
        call()
    return caught.value


def locked_pdf() -> bytes:
    writer = pypdf.PdfWriter()
    writer.add_blank_page(200, 200)
    writer.encrypt("of the user", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_a_question_without_an_index_is_told_where_to_begin(
    scripted: type[ScriptedTekio], tmp_path: Path
) -> None:
    error = raised(lambda: Database(tmp_path / "none", create=False))
    assert told(error) == [
        f"there is no index in {tmp_path / 'none'} yet: run `ingest PATH` first",
        f"{tmp_path / 'none'} にまだ索引がありません。先に `ingest PATH` を実行してください",
    ]


@pytest.mark.parametrize(
    ("text", "english", "japanese"),
    [
        (
            "ward=icu",
            "there is no field 'ward' to filter on",
            "「ward」では絞り込めません。条件は「項目=値」",
        ),
        ("icu", "'icu' is no filter", "「icu」は絞り込みの条件として読めません。条件は「項目=値」"),
        (
            "page=last",
            "'page' is a number, not 'last'",
            "「page」は数で指定してください。「last」は使えません",
        ),
    ],
)
def test_a_filter_that_is_wrong_is_explained_whole(
    scripted: type[ScriptedTekio], text: str, english: str, japanese: str
) -> None:
    said = told(raised(lambda: parse_filter(text)))
    assert said[0].startswith(english)
    assert said[1].startswith(japanese)
    assert "where FIELD is" not in said[1]


def test_a_file_under_a_password_is_told_with_what_to_do(scripted: type[ScriptedTekio]) -> None:
    error = raised(lambda: read_file(PurePath("x.pdf"), locked_pdf()))
    assert isinstance(error, ReadError)
    report = FileReport("x.pdf", error.outcome, message=str(error))
    settings = load_settings()
    engine = Engine(settings)
    english, japanese = (
        outcome_html(Here(engine, None, language, settings), "x.pdf", report) for language in LANGUAGES
    )
    engine.close()
    assert "needs a password" in english
    assert "needs a password" not in japanese
    assert "パスワードがかかっています" in japanese


def test_a_broken_file_and_one_of_another_kind_are_told(scripted: type[ScriptedTekio]) -> None:
    for name, data, japanese in (
        ("x.docx", b"PK\x03\x04 cut short", "壊れています"),
        ("x.exe", b"MZ\x00\x01", "のファイルは読めません"),
        ("x.txt", b"", "ファイルが空です"),
    ):
        error = raised(partial(read_file, PurePath(name), data))
        assert japanese in told(str(error))[1]


def test_an_example_that_is_none_is_refused_in_the_language_of_the_page(
    scripted: type[ScriptedTekio],
) -> None:
    for language, save, said in (
        ("en", "Save", "the question of an example is empty"),
        ("ja", "保存", "例文の質問が空です"),
    ):
        shown = page("examples", "show_examples", language=language)
        next(button for button in shown.button if button.label == save).click().run()
        assert not shown.exception
        assert said in html_of(shown)
