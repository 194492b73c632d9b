"""What a second ingest does: as little as it can, and nothing wrong."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from ingest.blocks import ReadOptions
from ingest.strategies import Chunking
from kernel.embedding_service import EmbeddingService
from retrieval.database import Database
from retrieval.errors import UsageError
from retrieval.filter_text import parse_filters
from retrieval.keyword_tokens import Term
from retrieval.passages import PassageIndex
from tests.ingest.pipeline.conftest import outcomes


def found(index: PassageIndex, embedder: Any, query: str, *where: str) -> list[str]:
    """Return the names of the documents that a search finds."""
    (vector,) = asyncio.run(EmbeddingService(embedder).generate_embeddings([query]))
    passages = index.search(query, vector, top_k=10, where=parse_filters(where))
    return [passage.document for passage in passages]


def vectors(index: PassageIndex) -> dict[str, bytes]:
    """Return the vector of each document's only chunk."""
    rows = index.store.select(vectors=True)
    return {row.data["document"]: row.vector.tobytes() for row in rows if row.vector is not None}


def test_a_moved_file_keeps_its_vectors_and_answers_under_its_new_name(
    run: Any, index: PassageIndex, embedder: Any, folder: Path
) -> None:
    run(folder)
    before = vectors(index)
    embedder.embedded.clear()
    (folder / "a.md").rename(folder / "sub" / "renamed.md")
    report = run(folder)
    assert outcomes(report) == {"b.txt": "unchanged", "renamed.md": "unchanged"}
    assert [file.message for file in report.files if file.message] == ["moved here from a.md"]
    assert (report.removed, embedder.embedded) == (0, [])
    assert vectors(index) == {"sub/b.txt": before["sub/b.txt"], "sub/renamed.md": before["a.md"]}
    assert set(found(index, embedder, "Text of a")) == {"sub/b.txt", "sub/renamed.md"}
    assert run(folder).unchanged == 2


def test_a_moved_file_that_was_titled_by_its_name_is_found_by_the_new_one(
    run: Any, index: PassageIndex, embedder: Any, tmp_path: Path
) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "zebra.txt").write_text("an animal with stripes, seen in the morning\nand in the evening")
    run(root)
    (root / "zebra.txt").rename(root / "okapi.txt")
    run(root)
    assert [document.title for document in index.documents()] == ["okapi"]
    assert index.store.keyword([Term("okapi")], top=5)
    assert not index.store.keyword([Term("zebra")], top=5)


def test_a_copy_is_another_document_but_is_not_embedded_again(
    run: Any, texts: Any, embedder: Any, folder: Path
) -> None:
    run(folder)
    embedder.embedded.clear()
    (folder / "copy.md").write_bytes((folder / "a.md").read_bytes())
    report = run(folder)
    assert (report.added, report.unchanged, embedder.embedded) == (1, 2, [])
    assert set(texts()) == {"a.md", "copy.md", "sub/b.txt"}


def test_identical_chunks_of_one_ingest_are_embedded_once(run: Any, embedder: Any, tmp_path: Path) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    for number in range(5):
        (root / f"{number}.md").write_text("# The same title\n\nThe same text.\n")
    report = run(root)
    assert (report.added, len(embedder.embedded)) == (5, 1)


def test_of_a_changed_file_only_the_changed_chunks_are_embedded(
    run: Any, embedder: Any, tmp_path: Path
) -> None:
    path = tmp_path / "long.md"
    parts = [f"## Part {number}\n\n" + f"Sentence about subject {number}. " * 12 for number in range(6)]
    path.write_text("# Manual\n\n" + "\n\n".join(parts))
    run(path)
    whole = len(embedder.embedded)
    embedder.embedded.clear()
    path.write_text(
        "# Manual\n\n" + "\n\n".join([*parts[:3], parts[3].replace("subject", "topic"), *parts[4:]])
    )
    assert run(path).updated == 1
    assert 1 <= len(embedder.embedded) < whole / 2
    assert all("topic 3" in text for text in embedder.embedded)


def test_what_was_pruned_is_found_no_more(run: Any, index: PassageIndex, embedder: Any, folder: Path) -> None:
    run(folder)
    assert "a.md" in found(index, embedder, "Text of a")
    (folder / "a.md").unlink()
    report = run(folder, prune=True)
    assert (report.removed, outcomes(report)["a.md"]) == (1, "removed")
    assert found(index, embedder, "Text of a") == ["sub/b.txt"]
    assert isinstance(index.database, Database)
    connection = index.database.connection
    for query in (
        "SELECT count(*) FROM rows_passages WHERE data LIKE '%Text of a%'",
        "SELECT count(*) FROM words_passages WHERE tokens LIKE '%text%'",
        "SELECT count(*) FROM documents WHERE text LIKE '%Text of a%'",
    ):
        assert connection.execute(query).fetchone()[0] == 0


def test_without_pruning_what_is_gone_stays(run: Any, texts: Any, folder: Path) -> None:
    run(folder)
    (folder / "a.md").unlink()
    assert run(folder, prune=False).removed == 0
    assert set(texts()) == {"a.md", "sub/b.txt"}


def test_an_emptied_folder_is_pruned_only_when_that_is_asked_for(
    run: Any, texts: Any, tmp_path: Path
) -> None:
    root = tmp_path / "docs"
    root.mkdir()
    (root / "only.txt").write_text("The only text.")
    run(root)
    (root / "only.txt").unlink()
    with pytest.raises(UsageError, match="--prune"):
        run(root)
    assert set(texts()) == {"only.txt"}
    assert run(root, prune=True).removed == 1
    assert not texts()


def test_a_file_that_the_folder_ignores_now_is_taken_out(run: Any, texts: Any, folder: Path) -> None:
    run(folder)
    (folder / ".tekioignore").write_text("*.txt\n")
    report = run(folder)
    assert (report.removed, report.unchanged) == (1, 1)
    assert "ignores it now" in next(file.message for file in report.files if file.path.endswith("b.txt"))
    assert set(texts()) == {"a.md"}


def test_another_way_of_cutting_reads_the_documents_again(run: Any, folder: Path) -> None:
    run(folder)
    assert run(folder, chunking=Chunking(max_tokens=60)).updated == 2
    assert run(folder, chunking=Chunking(max_tokens=60)).unchanged == 2
    assert run(folder, chunking=Chunking(strategy="sentence_window")).updated == 2


def test_tags_can_be_given_later_and_stay_when_the_file_changes(
    run: Any, index: PassageIndex, embedder: Any, folder: Path
) -> None:
    run(folder)
    embedder.embedded.clear()
    report = run(folder, tags={"ward": ("icu", "er")})
    assert (report.unchanged, embedder.embedded) == (2, [])
    assert set(found(index, embedder, "text", "tag.ward=er")) == {"a.md", "sub/b.txt"}
    assert found(index, embedder, "text", "tag.ward=kitchen") == []
    (folder / "a.md").write_text("# Title A\n\nNew text of a.\n")
    run(folder)
    assert set(found(index, embedder, "text", "tag.ward=icu")) == {"a.md", "sub/b.txt"}
    run(folder / "a.md", tags={"ward": ("kitchen",)})
    assert found(index, embedder, "text", "tag.ward=kitchen") == ["a.md"]
    assert found(index, embedder, "text", "tag.ward=icu") == ["sub/b.txt"]


def test_what_the_documents_say_of_themselves_narrows_a_search(
    run: Any, index: PassageIndex, embedder: Any, tmp_path: Path
) -> None:
    root = tmp_path / "docs"
    (root / "hr").mkdir(parents=True)
    (root / "hr" / "leave.md").write_text(
        "---\ntitle: Leave\nauthor: Aoki\ndate: 2023-04-01\ntags: [leave, rules]\n---\n\nStaff may take leave.\n"
    )
    (root / "pay.md").write_text("---\ntitle: Pay\ndate: 2025-04-01\n---\n\nStaff are paid monthly.\n")
    (root / "kyuuka.md").write_text("# 休暇\n\n職員は休暇を取ることができる。\n")
    os.utime(root / "kyuuka.md", (0, 0))
    run(root)
    every = {"hr/leave.md", "pay.md", "kyuuka.md"}
    for where, names in (
        ([], every),
        (["language=ja"], {"kyuuka.md"}),
        (["language!=ja"], {"hr/leave.md", "pay.md"}),
        (["created>=2024"], {"pay.md"}),
        (["modified<1980"], {"kyuuka.md"}),
        (["document~hr/*"], {"hr/leave.md"}),
        (["document!~hr/*"], {"pay.md", "kyuuka.md"}),
        (["title=Pay"], {"pay.md"}),
        (["tag.tags=rules"], {"hr/leave.md"}),
        (["author=Aoki"], {"hr/leave.md"}),
        (["author!=Aoki", "language=en"], {"pay.md"}),
        ([f"path~{root.resolve()}/pay*"], {"pay.md"}),
        (["format=markdown"], every),
        (["page=1"], set()),
    ):
        assert set(found(index, embedder, "staff leave 休暇", *where)) == names, where


def test_a_scan_and_a_locked_file_are_tried_again_when_there_is_something_new_to_try(
    run: Any, folder: Path, documents: Path, make_pdf: Any
) -> None:
    locked = folder / "locked.pdf"
    locked.write_bytes((documents / "sample-files__libreoffice-writer-password.pdf").read_bytes())
    assert outcomes(run(folder))["locked.pdf"] == "encrypted"
    assert outcomes(run(folder))["locked.pdf"] == "encrypted"
    report = run(folder, options=ReadOptions(passwords=("wrong", "openpassword")))
    assert outcomes(report)["locked.pdf"] == "ok"
    assert outcomes(run(folder))["locked.pdf"] == "unchanged"
