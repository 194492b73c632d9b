"""Everything in one file and back, from every place and into every place."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
import stat
import threading
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from kernel.app import Tekio
from kernel.backup.archive import unpack, written
from kernel.backup.databases import save_index
from kernel.library.results import Upload
from kernel.model_store import ModelStore
from kernel.settings import Settings
from plugins.memory.turns import Turn
from retrieval.access import access, caller
from retrieval.errors import IndexBusyError, IndexMissingError, NotFoundError, TekioError, UsageError
from retrieval.passages import PassageIndex
from retrieval.records import document_key
from retrieval.stores.opening import Place, is_address
from tests.ingest.pipeline.test_crash_safety import to_layout_3
from tests.retrieval.test_passages import SIGNATURE, put
from tests.ui.serving import MRI

AKI = caller("aki")
QUESTION = "How hot is the kiln fired?"


def opened(place: Place, folder: Path, store: ModelStore, **more: Any) -> Tekio:
    where: dict[str, Any] = {"store": place} if is_address(place) else {"index": place}
    own: dict[str, Any] = {
        "memory": folder / "memory",
        "examples": folder / "examples",
        "prompts": [folder / "prompts"],
    }
    own |= {"adapters": folder / "adapters", "embedders": folder / "embedders", "models": folder / "models"}
    return Tekio(Settings(cache=store.cache, variant="extractive", reading=False, **where, **own, **more))


def filled(place: Place, folder: Path, store: ModelStore) -> Tekio:
    """A Tekio of two documents with all that belongs to them."""
    docs = folder / "docs"
    docs.mkdir(parents=True)
    (docs / "kiln.md").write_text("# Kiln\n\nThe kiln is fired at 1,240 degrees.\n", encoding="utf-8")
    (docs / "釉薬.md").write_text("# 釉薬\n\n釉薬G-7は棚Cに保管する。\n", encoding="utf-8")
    for made in ("light", ".half.making"):
        (folder / "models" / made).mkdir(parents=True)
        (folder / "models" / made / "model.safetensors").write_bytes(b"weights")
    (folder / "examples").mkdir()
    (folder / "examples" / "added.jsonl").write_text("{}\n", encoding="utf-8")
    tekio = opened(place, folder, store)
    tekio.ingest([docs / "kiln.md"], tags={"ward": ("icu",)})
    tekio.ingest([docs / "釉薬.md"], access=access("mori", []))
    tekio.keep_default_variant("extractive")
    tekio.memory.add("The spare key is in drawer 4.", caller=AKI)
    for number in range(3):
        tekio.memory._turns.add(
            "user:aki", "talk", Turn(f"q{number}", f"答え{number}"), "2026-01-01T00:00:00"
        )
    tekio.memory._feedback.add("user:aki", "up", "q", {"answer": {"answer": "a"}}, "2026-01-01T00:00:00")
    return tekio


async def check(tekio: Tekio, key: str) -> None:
    """What was there is there."""
    rows = {row.document: row for row in tekio.documents()}
    assert set(rows) == {"kiln.md", "釉薬.md"}
    assert rows["釉薬.md"].access.owner == "mori"
    assert {row.document for row in tekio.documents(caller=AKI)} == {"kiln.md"}
    answer = await tekio.ask(QUESTION)
    assert "1,240 degrees" in answer.answer
    found = await tekio.search("kiln", where=["tag.ward=icu"])
    assert [passage.document for passage in found] == ["kiln.md"]
    assert tekio.default_variant() == "extractive"
    assert [memory.text for memory in tekio.memory.listed(AKI)] == ["The spare key is in drawer 4."]
    assert [turn.answer for turn in tekio.memory.turns("talk", caller=AKI)] == ["答え0", "答え1", "答え2"]
    assert [row.id for row in tekio.memory.feedback(caller=AKI)] == [1]
    assert tekio.keys.check(key, str).name == "ci"
    # What is counted goes on behind what was restored.
    assert tekio.memory._feedback.add("user:aki", "down", "q", {"answer": {"answer": "a"}}, "2026") == 2


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, model_store: ModelStore) -> tuple[Path, str]:
    """A backup of a folder, and the text of a key."""
    folder = tmp_path_factory.mktemp("original")
    with closing(filled(folder / "index", folder, model_store)) as tekio:
        _, key = tekio.keys.create("ci", "read")
        counted = tekio.back_up(folder / "all.tekio", adapters=True)
        assert counted.documents == 2
        assert counted.bytes == (folder / "all.tekio").stat().st_size
    return folder / "all.tekio", key


async def test_what_was_backed_up_is_back_in_any_place(
    original: tuple[Path, str], place: Place, tmp_path: Path, model_store: ModelStore
) -> None:
    file, key = original
    with closing(opened(place, tmp_path, model_store)) as tekio:
        assert tekio.restore(file).documents == 2
        await check(tekio, key)
        assert (tmp_path / "examples" / "added.jsonl").read_text("utf-8") == "{}\n"
        assert (tmp_path / "models" / "light" / "model.safetensors").read_bytes() == b"weights"
        assert [path.name for path in (tmp_path / "models").iterdir()] == ["light"], "none that is half made"
        with pytest.raises(UsageError, match="--force"):
            tekio.restore(file)
    # From there it can be backed up and put back once more.
    with closing(opened(place, tmp_path, model_store)) as tekio:
        tekio.memory.add("Said afterwards.", caller=AKI)
        tekio.back_up(tmp_path / "again.tekio")
        assert tekio.restore(file, force=True).documents == 2
        assert len(tekio.memory.listed(AKI)) == 1
        assert tekio.restore(tmp_path / "again.tekio", force=True).documents == 2
        assert len(tekio.memory.listed(AKI)) == 2
        assert tekio.keys.check(key, str)


def test_a_backup_is_whole_while_documents_are_written(tmp_path: Path) -> None:
    stop, written_to = threading.Event(), threading.Event()

    def write() -> None:
        number = 0
        with closing(PassageIndex(tmp_path / "index", SIGNATURE, create=True)) as index:
            while not stop.is_set():
                number += 1
                put(index, f"{number % 7}", f"text {number}", number % 4)
                written_to.set()

    writer = threading.Thread(target=write)
    writer.start()
    seen = set()
    try:
        assert written_to.wait(30)
        for number in range(8):
            save_index(tmp_path / "index", tmp_path / str(number))
            with closing(sqlite3.connect(tmp_path / str(number) / "index.sqlite3")) as database:
                assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                query = (
                    "SELECT count(*) FROM documents AS d WHERE chunks !="
                    " (SELECT count(*) FROM rows_passages WHERE document_id = d.id)"
                )
                assert database.execute(query).fetchone() == (0,)
                seen.add(database.execute("SELECT max(id) FROM documents").fetchone())
    finally:
        stop.set()
        writer.join()
    assert len(seen) > 1, "it was really written to meanwhile"


def test_an_index_that_is_open_elsewhere_is_not_replaced(
    original: tuple[Path, str], tmp_path: Path, model_store: ModelStore
) -> None:
    file, _ = original
    with closing(opened(tmp_path / "index", tmp_path, model_store)) as tekio:
        tekio.restore(file)
    with closing(sqlite3.connect(tmp_path / "index" / "index.sqlite3")) as server:
        server.execute("PRAGMA journal_mode = WAL")
        server.execute("SELECT count(*) FROM documents").fetchone()
        with (
            closing(opened(tmp_path / "index", tmp_path, model_store)) as tekio,
            pytest.raises(IndexBusyError, match="stop the servers"),
        ):
            tekio.restore(file, force=True)
        assert server.execute("SELECT count(*) FROM documents").fetchone() == (2,)


def spoilt(file: Path, target: Path, name: str, content: bytes) -> Path:
    """A backup in which a file has another content."""
    with zipfile.ZipFile(file) as source, zipfile.ZipFile(target, "w") as made:
        for each in source.namelist():
            made.writestr(each, content if each == name else source.read(each))
    return target


def test_a_file_that_is_no_whole_backup_replaces_nothing(
    original: tuple[Path, str], tmp_path: Path, model_store: ModelStore
) -> None:
    file, _ = original
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    entry = next(iter(manifest["files"].values()))
    out = manifest | {"files": manifest["files"] | {"../../outside": entry}}
    newer = manifest | {"version": 99}
    cut = tmp_path / "cut.tekio"
    cut.write_bytes(file.read_bytes()[:-2000])
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    cases = {
        cut: "cut short",
        other: "no backup",
        tmp_path / "nowhere": "no file",
        spoilt(file, tmp_path / "changed.tekio", "index/index.sqlite3", b"x" * 100): "damaged",
        spoilt(file, tmp_path / "out.tekio", "manifest.json", json.dumps(out).encode()): "outside",
        spoilt(file, tmp_path / "newer.tekio", "manifest.json", json.dumps(newer).encode()): "newer Tekio",
    }
    place = tmp_path / "home" / "index"
    with closing(opened(place, tmp_path / "home", model_store)) as tekio:
        tekio.restore(file)
        before = (place / "index.sqlite3").read_bytes()
        for wrong, says in cases.items():
            with pytest.raises(TekioError, match=says):
                tekio.restore(wrong, force=True)
        assert (place / "index.sqlite3").read_bytes() == before
    assert not (tmp_path / "outside").exists()
    assert [path.name for path in tmp_path.glob("home/.*")] == [], "nothing is left over"


def test_a_backup_that_is_there_is_not_replaced_unasked(
    original: tuple[Path, str], tmp_path: Path, model_store: ModelStore
) -> None:
    file, _ = original
    with closing(opened(file.parent / "index", file.parent, model_store)) as tekio:
        with pytest.raises(UsageError, match="--force"):
            tekio.back_up(file)
        (tmp_path / "a file").write_text("")
        with pytest.raises(TekioError, match="cannot be"):
            tekio.back_up(tmp_path / "a file" / "x")
    with (
        closing(opened(tmp_path / "none", tmp_path, model_store)) as tekio,
        pytest.raises(IndexMissingError, match="nothing to back up"),
    ):
        tekio.back_up(tmp_path / "none.tekio")
    assert not (tmp_path / "none.tekio").exists()


def test_every_folder_of_the_settings_is_in_a_backup_or_can_be_made_anew(tmp_path: Path) -> None:
    made_anew = {"cache", "answers", "audit_log"}
    read_alone = {"job_roots"}  # somebody else's folders
    folders = {name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)}
    folders -= read_alone
    chosen: dict[str, Any] = {name: tmp_path / name for name in folders - {"prompts"}}
    with closing(Tekio(Settings(**chosen, prompts=[tmp_path / "prompts"]))) as tekio:
        places = tekio._places(adapters=True)
    held = {str(place) for place in (places.index, places.memory, places.said, *places.folders.values())}
    missing = {name for name in folders - made_anew if str(tmp_path / name) not in held}
    assert not missing, "say in Tekio._places that they belong to a backup, or here that they need not"


def test_a_backup_of_an_older_layout_is_brought_up_to_date_as_it_is_put_back(
    original: tuple[Path, str], tmp_path: Path, model_store: ModelStore
) -> None:
    file, _ = original
    unpack(file, tmp_path)
    with closing(sqlite3.connect(tmp_path / "index" / "index.sqlite3")) as connection:
        to_layout_3(connection)
        connection.commit()
    with written(tmp_path / "older.tekio", force=False) as add:
        add("index/index.sqlite3", tmp_path / "index" / "index.sqlite3")
        add("about.json", tmp_path / "about.json")
    with closing(opened(tmp_path / "home" / "index", tmp_path / "home", model_store)) as tekio:
        assert tekio.restore(tmp_path / "older.tekio").documents == 2
        assert len(tekio.documents(caller=AKI)) == 2, "what had no readers is everyone's"


def test_uploads_are_read_drawn_and_read_anew_in_the_folder_that_they_were_put_back_to(
    place: Place, tmp_path: Path, model_store: ModelStore
) -> None:
    one, other = tmp_path / "one", tmp_path / "other machine"
    mori = caller("mori")
    with closing(opened(one / "index", one, model_store, uploads=one / "files")) as tekio:
        given = {"guide.pdf": MRI.read_bytes(), "kiln.md": b"# Kiln\n\nThe kiln is fired at 1,240 degrees.\n"}
        files = [Upload(name, io.BytesIO(data)) for name, data in given.items()]
        ids = {str(each.name): str(each.id) for each in tekio.library.upload(files, caller=mori).files}
        (passage, *_) = tekio.library.passages(ids["guide.pdf"], caller=mori)
        tekio.back_up(tmp_path / "all.tekio")
    shutil.rmtree(one)
    with closing(opened(place, other, model_store, uploads=other / "kept" / "files")) as tekio:
        tekio.restore(tmp_path / "all.tekio")
    with closing(opened(place, other, model_store, uploads=other / "kept" / "files")) as tekio:
        library = tekio.library
        assert library.orphans() == []
        assert stat.S_IMODE((other / "kept" / "files").stat().st_mode) == 0o700
        rows = {row.document: row for row in tekio.documents(caller=mori)}
        for name, data in given.items():
            new = document_key(rows[name].path)
            assert new != ids[name]
            for key in (new, ids[name]):  # an id that was given out before goes on to hold
                original = library.original(key, caller=mori)
                assert original.path.read_bytes() == data
                assert original.path.is_relative_to(other)
                assert library.is_upload(library.get(key, caller=mori))
                with pytest.raises(NotFoundError):
                    library.original(key, caller=AKI)
        span = (passage.start, passage.start + 40)
        page = library.page_image(ids["guide.pdf"], 1, start=span[0], end=span[1], caller=mori)
        assert page.png.startswith(b"\x89PNG")
        assert page.boxes
        for name in given:
            assert tekio.reread(ids[name], caller=mori).outcome == "unchanged"
        assert set(rows) == {row.document for row in tekio.documents()}, "none came a second time"
        again = library.upload([Upload("kiln.md", io.BytesIO(b"# Kiln\n\nIt is cold.\n"))], caller=mori)
        assert again.files[0].replaced
        assert library.delete(ids["guide.pdf"], caller=mori).file == "deleted"
        assert [path.suffix for path in (other / "kept" / "files").iterdir()] == [".md"]
