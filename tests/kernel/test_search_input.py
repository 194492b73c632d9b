"""Whatever is typed into the search: the right passages, or one clear line."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.errors import UsageError

DOCUMENTS = {
    "kiln.md": "# Kiln\n\nThe kiln K2 is fired at 1,240 degrees, by ISO-9001:2015.\n",
    "leave.md": "# Leave\n\nA new employee gets ten days of paid leave.\n",
    "就業規則.md": "# 就業規則\n\n第12条 育児休業は子が一歳になるまで取得できる。\n",
}


@pytest.fixture(scope="module")
def tekio(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> Iterator[Tekio]:
    folder = tmp_path_factory.mktemp("search")
    (folder / "docs").mkdir()
    for name, text in DOCUMENTS.items():
        (folder / "docs" / name).write_text(text, encoding="utf-8")
    with closing(Tekio(Settings(index=folder / "index", cache=model_store.cache))) as app:
        app.ingest([folder / "docs"])
        yield app


@pytest.mark.parametrize(
    "query",
    [
        "the of and to",
        "は の を",
        "?!.,;:",
        "🔥",
        "kiln\x00K2",
        'kiln" OR "leave',
        "kiln* NEAR(leave) -K2 ^kiln {kiln}:K2",
        "kiln AND NOT OR",
        "'; DROP TABLE rows_passages; --",
        "%_%",
        "\ud800 kiln",
        "\u202ekiln\u202c",
        "Ｋ２　ｋｉｌｎ",
        "a" * 8000,
        "釉" * 8000,
    ],
)
@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
async def test_any_text_is_searched_for_and_harms_nothing(tekio: Tekio, query: str, mode: str) -> None:
    found = await tekio.search(query, mode=mode)
    assert len(found) <= 3
    if mode != "keyword":
        assert len(found) == 3  # by meaning everything is more or less near
    elif "kiln" in query or "ｋｉｌｎ" in query:
        assert "kiln.md" in {each.document for each in found}
    assert len(tekio.documents()) == 3


@pytest.mark.parametrize("query", ["", "   ", "\n\t", "\u3000", "a" * 100_000])
async def test_nothing_and_too_much_are_told_in_one_line(tekio: Tekio, query: str) -> None:
    with pytest.raises(UsageError) as told:
        await tekio.search(query)
    assert len(str(told.value).splitlines()) == 1
    assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("ISO-9001:2015", "kiln.md"),
        ("iso 9001", "kiln.md"),
        ("K2", "kiln.md"),
        ("第12条", "就業規則.md"),
        ("第１２条", "就業規則.md"),
        ("育児休暇", "就業規則.md"),
        ("employees", "leave.md"),
    ],
)
async def test_names_numbers_and_readings_are_found_by_their_words(
    tekio: Tekio, query: str, document: str
) -> None:
    assert (await tekio.search(query, mode="keyword"))[0].document == document
    assert (await tekio.search(query))[0].document == document


@pytest.mark.parametrize("where", ["nonesuch=1", "tag.=x", "document", "1=1"])
async def test_a_filter_that_is_none_is_told(tekio: Tekio, where: str) -> None:
    with pytest.raises(UsageError) as told:
        await tekio.search("kiln", where=[where])
    assert len(str(told.value).splitlines()) == 1
    assert len(tekio.documents()) == 3


@pytest.mark.parametrize(
    "where", ["document='; DROP TABLE documents; --", 'language=" OR 1=1', "document~*%*"]
)
async def test_a_filter_is_data_and_fits_nothing(tekio: Tekio, where: str) -> None:
    assert await tekio.search("kiln", where=[where]) == []
    assert len(tekio.documents()) == 3


async def test_more_than_there_is_gives_all_there_is(tekio: Tekio) -> None:
    assert len(await tekio.search("kiln", top_k=100)) == 3
    for top_k in (0, -1, 101):
        with pytest.raises(UsageError, match="between 1 and 100"):
            await tekio.search("kiln", top_k=top_k)
    with pytest.raises(UsageError, match="hybrid, dense, keyword"):
        await tekio.search("kiln", mode="nonesuch")


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "lost"])
async def test_derived_files_that_are_damaged_are_made_again_and_that_is_said(
    tekio: Tekio, tmp_path: Path, model_store: ModelStore, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(tekio.settings.index, tmp_path / "index")
    right = [(each.document, round(each.score, 4)) for each in await tekio.search("kiln")]
    files = [path for path in (tmp_path / "index").iterdir() if path.suffix in {".faiss", ".keywords"}]
    assert len(files) == 2
    for file in files:
        if damage == "lost":
            file.unlink()
        else:
            data = file.read_bytes()
            file.write_bytes(
                {"cut": data[: len(data) // 2], "empty": b"", "noise": b"\x5a" * len(data)}[damage]
            )
    with closing(Tekio(Settings(index=tmp_path / "index", cache=model_store.cache))) as app:
        found = [(each.document, round(each.score, 4)) for each in await app.search("kiln")]
    assert found == right
    for file in files:
        assert damage == "lost" or file.name in caplog.text
