"""What `tekio doctor` says of uploads that a kill cut off."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from evaluation.benchmarks.own_server import ROOT
from kernel.app import Tekio
from kernel.library.results import Upload
from kernel.model_store import ModelStore
from tests.ui.serving import own_settings
from ui.check_rows import OK, WARN
from ui.upload_checks import uploads

KILLED = """
import io, os, signal, sys
from pathlib import Path
from kernel.app import Tekio
from kernel.library.results import Upload
from kernel.settings import load_settings

class Killed(Tekio):
    def ingest(self, paths, **options):
        os.kill(os.getpid(), signal.SIGKILL)

settings = load_settings(index=sys.argv[1], uploads=Path(sys.argv[2]))
Killed(settings).library.upload([Upload("plan.md", io.BytesIO(b"# Plan\\n\\nThe plan.\\n"))])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_file_that_a_kill_left_is_named_with_what_to_do(tmp_path: Path, model_store: ModelStore) -> None:
    settings = own_settings(tmp_path, model_store)
    assert uploads(settings).status == OK
    with closing(Tekio(settings)) as tekio:
        tekio.library.upload([Upload("kiln.md", io.BytesIO(b"# Kiln\n\nThe kiln is hot.\n"))])
    folder = settings.uploads_folder
    (taken,) = folder.iterdir()
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(settings.index), str(folder)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL
    (left,) = set(folder.iterdir()) - {taken}
    assert left.suffix == ".md"
    assert uploads(settings).status == OK  # it may be under way
    for path in (taken, left):
        os.utime(path, (time.time() - 7200,) * 2)
    row = uploads(settings)
    assert (row.status, left.name in row.found, taken.name in row.found) == (WARN, True, False)
    assert "sends them again" in row.advice
    left.unlink()
    assert uploads(settings).status == OK
