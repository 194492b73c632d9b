"""What the page says of a question while it is on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kernel.settings import load_settings
from ui.chat_engine import Engine
from ui.page.here import Here
from ui.page.outcome import progress_html
from ui.page.turn import Turn

if TYPE_CHECKING:
    from tests.ui.conftest import ScriptedTekio


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["Searching 1,240 passages", "Reading 6 passages", "Draft, to be checked", "Stopping"]),
        ("ja", ["1,240件の箇所を検索", "6件の箇所を", "下書き", "停止"]),
    ],
)
def test_how_far_a_question_is_is_told_in_words_and_its_draft_stays_text(
    scripted: type[ScriptedTekio], language: str, said: list[str]
) -> None:
    here = Here(Engine(load_settings()), None, language, load_settings())
    for stage, words in zip(("searching", "reading", "writing", "stopping"), said, strict=True):
        shown = progress_html(here, Turn("How long?", draft="<b>24", stage=stage, reading=6), 1240)
        assert words in shown
        assert 'role="status"' in shown
        assert "&lt;b&gt;24" in shown
    here.engine.close()
