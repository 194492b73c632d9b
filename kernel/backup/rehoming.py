"""The uploads of a backup that is put back into another folder: the index learns where they lie now."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from ingest.names import key_path, path_key
from kernel.library.uploads import FORMER_FOLDERS, is_generated
from retrieval.passages import PassageIndex


def rehome_uploads(index: Path, uploads: Path, target: Path) -> int:
    """Have the documents of uploaded files name the folder that these come to; return how many there are elsewhere.

    Where they lay before is kept with the index, so that the ids of documents which were given out go on to hold.

    Args:
        index: folder of the index.
        uploads: folder of the uploaded files, whose names are known again wherever it lay.
        target: the folder that it will be.
    """
    real = target.absolute().resolve()
    names = (
        {path.name for path in uploads.iterdir() if is_generated(path.name)} if uploads.is_dir() else set()
    )
    moved = 0
    with closing(PassageIndex(index, None)) as opened:
        held = {key: state for key, state in opened.states().items() if key_path(key).name in names}
        elsewhere = {key: state for key, state in held.items() if key_path(key).parent != real}
        if not elsewhere:
            return 0
        with opened.writing_alone():
            for key, state in elsewhere.items():
                path = path_key(real / key_path(key).name)
                opened.move(state.id, path=path, name=state.name, title=state.title)
                moved += 1
        known = (opened.note(FORMER_FOLDERS) or {}).get("folders", [])
        before = {path_key(key_path(key).parent) for key in elsewhere}
        opened.keep_note(FORMER_FOLDERS, {"folders": sorted({*known, *before})})
    return moved
