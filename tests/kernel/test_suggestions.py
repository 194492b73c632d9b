"""Questions to begin with, and documents tended one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import Access, caller
from retrieval.errors import DeniedError, NotFoundError
from retrieval.records import document_key

FILLER = "The foreman writes the time into the book of the hall and signs it with his full name. "
KILN = f"# Kiln K2\n\n## 1. Firing\n\nIt is fired at 1,240 degrees. {30 * FILLER}\n\n## 2. Firing\n\n{20 * FILLER}\n"
GLAZE = f"# 釉薬の保管\n\n## 第2節 保管場所\n\n釉薬G-7は5℃から25℃の棚Cに保管する。{30 * '温度を毎朝帳簿に書く。'}\n"


@pytest.fixture(scope="module")
def tekio(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Iterator[Tekio]:
    folder = tmp_path_factory.mktemp("suggestions")
    (folder / "docs").mkdir()
    (folder / "docs" / "kiln.md").write_text(KILN, encoding="utf-8")
    (folder / "docs" / "glaze.md").write_text(GLAZE, encoding="utf-8")
    settings = Settings(
        index=folder / "index", memory=folder / "memory", cache=model_store.cache, variant="extractive"
    )
    with closing(Tekio(settings)) as made:
        made.ingest([folder / "docs"])
        yield made


async def test_questions_are_made_of_headings_and_lead_to_what_is_under_them(tekio: Tekio) -> None:
    (english,) = tekio.suggestions("en")
    assert english == "What does “Kiln K2” say about “Firing”?"
    (japanese,) = tekio.suggestions("ja")
    assert japanese == "「釉薬の保管」の「保管場所」について教えてください。"
    assert (await tekio.search(japanese))[0].document == "glaze.md"


def test_only_what_a_caller_may_read_is_suggested(tekio: Tekio) -> None:
    tekio.share(["kiln.md"], Access("aki", ()))
    try:
        assert tekio.suggestions("en", caller=caller("aki")) != []
        assert all("Kiln" not in question for question in tekio.suggestions("en", caller=caller("ben")))
    finally:
        tekio.share(["kiln.md"], Access("", ("*",)))


def write(path: str, text: str) -> None:
    Path(path).write_text(text, encoding="utf-8")


async def test_a_document_is_read_again_under_its_name_and_given_other_tags(tekio: Tekio) -> None:
    (row,) = [each for each in tekio.documents() if each.document == "glaze.md"]
    key = document_key(row.path)
    assert str(tekio.reread(key).outcome) == "unchanged"
    write(row.path, GLAZE.replace("棚C", "棚D"))
    assert str(tekio.reread(key).outcome) == "ok"
    assert "棚D" in (await tekio.search("釉薬G-7の保管場所"))[0].text
    tekio.retag(key, {"room": ("north",)})
    assert {each.document for each in await tekio.search("釉薬", where=["tag.room=north"])} == {"glaze.md"}
    tekio.retag(key, {})
    assert await tekio.search("釉薬", where=["tag.room=north"]) == []
    with pytest.raises(DeniedError):
        tekio.retag(key, {}, caller=caller("ben"))
    with pytest.raises(NotFoundError):
        tekio.reread("0" * 24)
