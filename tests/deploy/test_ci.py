"""What `.ci/run` does about the browser, with commands in place of the real ones that say how they were called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")

pytestmark = pytest.mark.skipif(BASH is None, reason="there is no bash")


def ran(folder: Path, **commands: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of it where there are the given commands alone, each the text of a script."""
    (folder / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", folder / ".ci" / "run")
    (bin_ := folder / "bin").mkdir()
    known = {"make": 'echo "make $1 $TEKIO_REQUIRE_BROWSER $TEKIO_SCREENSHOTS"', "id": "echo 0"}
    for name, text in (known | commands).items():
        (bin_ / name).write_text(f"#!{BASH}\n{text}\n", "utf-8")
        (bin_ / name).chmod(0o755)
    (bin_ / "dirname").symlink_to(shutil.which("dirname") or "")
    command = [str(BASH), str(folder / ".ci" / "run")]
    return subprocess.run(command, env={"PATH": str(bin_)}, capture_output=True, text=True, timeout=60)


def test_a_browser_that_is_there_is_required_by_the_tests_and_its_pictures_are_kept(tmp_path: Path) -> None:
    done = ran(tmp_path, chromium="")  # nor is apt-get called, which is not there
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"make {name} 1 {tmp_path / 'build' / 'screenshots'}" for name in ("test", "demo")
    ]
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert "build/" in ignored


def test_a_browser_is_installed_where_there_is_none(tmp_path: Path) -> None:
    installs = (
        f'[ "$1" = install ] || exit 1; echo > {tmp_path}/bin/chromium; /bin/chmod +x {tmp_path}/bin/chromium'
    )
    done = ran(tmp_path, **{"apt-get": installs})
    assert done.returncode == 0, done.stderr
    assert "make test" in done.stdout


@pytest.mark.parametrize("commands", [{}, {"apt-get": "exit 100"}, {"apt-get": "", "id": "echo 1000"}])
def test_without_a_browser_nothing_passes(tmp_path: Path, commands: dict[str, str]) -> None:
    done = ran(tmp_path, **commands)
    assert (done.returncode, done.stdout.count("make")) == (1, 0)
    assert "apt-get install chromium" in done.stderr.splitlines()[-1]
