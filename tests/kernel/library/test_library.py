"""Documents one by one, whatever the index is kept in: a folder, a PostgreSQL, a Qdrant."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from kernel.app import Tekio
from kernel.library.results import Upload, UploadReport
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.access import access, caller
from retrieval.errors import DeniedError, IndexMissingError, NotFoundError, UsageError
from retrieval.records import document_key

KILN = b"# Kiln\n\nThe kiln is fired at 1,240 degrees for nine hours.\n"
MORI, SATO = caller("mori"), caller("sato")


@pytest.fixture(params=["folder", "postgresql", "qdrant"])
def tekio(request: pytest.FixtureRequest, tmp_path: Path, model_store: ModelStore) -> Iterator[Tekio]:
    store = ""
    if request.param == "postgresql":
        store = f"{request.getfixturevalue('postgresql')}&schema=t{uuid.uuid4().hex[:12]}"
    elif request.param == "qdrant":
        pytest.importorskip("qdrant_client")
        store = f"qdrant+file://{tmp_path}/qdrant/index"
    app = Tekio(
        Settings(
            index=tmp_path / "index",
            store=store,
            cache=model_store.cache,
            uploads=tmp_path / "uploads",
            answers=tmp_path / "answers",
        )
    )
    yield app
    app.close()


def uploaded(tekio: Tekio, name: str, data: bytes, **options: object) -> UploadReport:
    return tekio.library.upload([Upload(name, io.BytesIO(data))], **options)  # type: ignore[arg-type]


def test_a_document_comes_and_goes_without_a_trace(tekio: Tekio, tmp_path: Path) -> None:
    with pytest.raises(IndexMissingError):
        tekio.library.get("0" * 24)
    (mine,) = uploaded(tekio, "kiln.md", KILN, caller=MORI).files
    (shared,) = uploaded(
        tekio,
        "全員.md",
        "# 窯\n\n窯は九時間焼く。\n".encode(),
        caller=MORI,
        access=access("mori", ["everyone"]),
    ).files
    assert mine.id is not None
    assert shared.id is not None
    library = tekio.library
    row = library.get(mine.id, caller=MORI)
    assert (row.document, row.access.owner, document_key(row.path)) == ("kiln.md", "mori", mine.id)
    assert library.is_upload(row)
    assert row == next(each for each in tekio.documents() if each.document == "kiln.md")
    (passage,) = library.passages(mine.id, caller=MORI)
    text = library.text(mine.id, caller=MORI)
    assert text[passage.start : passage.end] == passage.text
    assert library.original(mine.id, caller=MORI).path.read_bytes() == KILN
    with pytest.raises(NotFoundError):
        library.original(mine.id, caller=SATO)
    with pytest.raises(NotFoundError):
        library.delete(mine.id, caller=SATO)
    with pytest.raises(DeniedError):
        library.delete(shared.id, caller=SATO)
    assert library.text(shared.id, caller=SATO).endswith("窯は九時間焼く。")
    newer = uploaded(tekio, "kiln.md", KILN.replace(b"nine", b"ten"), caller=MORI)
    assert newer.updated == 1
    with pytest.raises(NotFoundError):
        library.get(mine.id, caller=MORI)
    assert newer.files[0].id is not None
    gone = library.delete(newer.files[0].id, caller=MORI)
    assert (gone.passages, gone.file) == (1, "deleted")
    assert [each.document for each in tekio.documents()] == ["全員.md"]
    assert len(list((tmp_path / "uploads").iterdir())) == 1


def test_uploads_at_the_same_time_all_come_in(tmp_path: Path, model_store: ModelStore) -> None:
    tekio = Tekio(Settings(index=tmp_path / "index", cache=model_store.cache, uploads=tmp_path / "uploads"))
    reports: list[UploadReport] = []
    threads = [
        threading.Thread(
            target=lambda number=number: reports.append(
                uploaded(tekio, f"{number}.md", KILN + b"%d" % number)
            )
        )
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.added for report in reports) == 2
    assert {row.document for row in tekio.documents()} == {"0.md", "1.md"}
    tekio.close()


def test_a_file_too_large_is_told_and_nobody_unnamed_uploads(tmp_path: Path, model_store: ModelStore) -> None:
    tekio = Tekio(
        Settings(index=tmp_path / "i", cache=model_store.cache, uploads=tmp_path / "u", max_upload_mb=1)
    )
    report = uploaded(tekio, "large.txt", b"a" * (2**20 + 1))
    assert report.failed == 1
    assert "max_upload_mb" in report.files[0].report.message
    twice = tekio.library.upload([Upload("a.txt", io.BytesIO(b"")), Upload("../a.txt", io.BytesIO(b""))])
    assert twice.failed == 2
    with pytest.raises(DeniedError):
        uploaded(tekio, "a.txt", b"a", caller=caller(None))
    with pytest.raises(UsageError, match="no file"):
        tekio.library.upload([])
    assert not (tmp_path / "i").exists()
    tekio.close()


KILLED = """
import io, os, signal, sys
from pathlib import Path
from kernel.app import Tekio
from kernel.library.results import Upload
from kernel.settings import Settings
folder = Path(sys.argv[1])
tekio = Tekio(Settings(index=folder / "index", cache=Path(sys.argv[2]), uploads=folder / "uploads"))
print(tekio.library.upload([Upload("kiln.md", io.BytesIO(sys.argv[3].encode()))]).files[0].id, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_acknowledged_is_there_after_the_server_was_killed(
    tmp_path: Path, model_store: ModelStore
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(model_store.cache), KILN.decode()]
    killed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert killed.returncode == -9
    tekio = Tekio(Settings(index=tmp_path / "index", cache=model_store.cache, uploads=tmp_path / "uploads"))
    key = killed.stdout.strip()
    assert tekio.library.get(key).document == "kiln.md"
    assert tekio.library.original(key).path.read_bytes() == KILN
    assert tekio.library.delete(key).passages == 1
    tekio.close()
