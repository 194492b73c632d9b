"""The checks of `tekio doctor`. Each returns rows: what was looked at, how it stands, what to do."""

from __future__ import annotations

import platform
import shutil
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from retrieval.errors import TekioError
from ui.check_rows import FAIL, OK, WARN, Check
from ui.composed_checks import composed_variants
from ui.engine_checks import other_engines
from ui.failures import describe
from ui.lab_checks import lab_models
from ui.service_checks import serving
from ui.upload_checks import uploads

if TYPE_CHECKING:
    from kernel.settings import Settings

__all__ = ["FAIL", "OK", "WARN", "Check", "run_checks"]

_SUPPORTED_PYTHON = ((3, 11), (3, 14))
_LOW_DISK, _FULL_DISK = 2 * 10**9, 2 * 10**8


def run_checks(*, index: str | Path | None, fast: bool) -> list[Check]:
    """Look at everything; `fast` leaves out what needs torch or the kernel imported."""
    rows = [_version(), _python(), *_packages(), _processor(fast=fast)]
    if not fast:
        rows.append(_torch())
    from kernel.settings import load_settings

    try:
        settings = load_settings(index=index)
    except TekioError as error:
        return [*rows, Check("settings", FAIL, describe(error), "mend the setting that is named")]
    rows.append(Check("settings", OK, "valid"))
    rows.extend(_models(settings))
    rows += [_engine(settings), _text_recognition(settings), *other_engines(settings, fast=fast)]
    rows += [*composed_variants(settings), *lab_models(settings)]
    # Opening an index fetches its embedder when that is missing; a check must not download anything.
    open_it = not fast and all(row.status == OK for row in rows if row.check == "model embedder")
    rows.append(_index_counts(settings) if open_it else _index_present(settings))
    if open_it:
        rows.append(uploads(settings))
    rows.extend(_disk(settings))
    rows.extend(serving(settings, fast=fast))
    return rows


def _version() -> Check:
    try:
        return Check("tekio", OK, f"version {metadata.version('tekio')}")
    except metadata.PackageNotFoundError:
        return Check("tekio", OK, "run from a checkout, not installed as a package")


def _python() -> Check:
    low, high = _SUPPORTED_PYTHON
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if low <= sys.version_info[:2] < high:
        return Check("python", OK, found)
    return Check("python", FAIL, found, "install Tekio with Python 3.11, 3.12 or 3.13")


def _packages() -> Iterator[Check]:
    try:
        from packaging.requirements import Requirement
    except ImportError:
        yield Check("packages", FAIL, "the package packaging is not installed", "pip install packaging")
        return
    wrong = []
    needed = _requirements()
    for line in needed:
        requirement = Requirement(line)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append((requirement.name, "not installed", line))
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong.append((requirement.name, f"{version}, but {requirement.specifier} is needed", line))
    for name, found, line in wrong:
        yield Check(f"package {name}", FAIL, found, f"pip install '{line.split(';')[0].strip()}'")
    if not wrong:
        yield Check("packages", OK, f"{len(needed)} required packages are installed")


def _requirements() -> list[str]:
    """Return what Tekio requires: of the installed package, or of the checkout it runs from."""
    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.is_file():
        listed: list[str] = tomllib.loads(project.read_text("utf-8"))["project"]["dependencies"]
        return listed
    return metadata.requires("tekio") or []


def _processor(*, fast: bool) -> Check:
    from retrieval.engines.cpu import vector_instructions

    flags = list(vector_instructions())
    if not flags and not fast:
        import torch

        flags = [torch.backends.cpu.get_cpu_capability().lower()]
    if not flags or flags == ["default"]:
        return Check("processor", WARN, "no vector instructions", "models will be slow here")
    return Check("processor", OK, " ".join(flags))


def _engine(settings: Settings) -> Check:
    from retrieval.engines.catalog import find_engine
    from retrieval.engines.cpu import vector_instructions
    from retrieval.passages import PassageIndex

    try:
        engine = find_engine(
            settings.embedder_engine,
            instructions=vector_instructions(),
            family=PassageIndex.engine_of(settings.place),
        )
    except TekioError as error:
        return Check(
            "embedder engine", FAIL, describe(error), "mend embedder_engine, or install what it needs"
        )
    return Check("embedder engine", OK, f"{engine.name} (embedder_engine is {settings.embedder_engine})")


def _text_recognition(settings: Settings) -> Check:
    from ingest.readers.pdf_ocr import OcrError, Tesseract

    try:
        Tesseract(settings.ocr_languages)
    except OcrError as error:
        return Check("text recognition", OK, f"off: {error}; scans are reported, not read")
    return Check("text recognition", OK, f"tesseract, {settings.ocr_languages}; used with --ocr")


def _torch() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("torch", FAIL, describe(error), "reinstall torch: pip install --force-reinstall torch")
    build = f"{torch.__version__}, {torch.get_num_threads()} threads"
    if torch.cuda.is_available():
        return Check("torch", OK, f"{build}, GPU {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return Check("torch", OK, f"{build}, Apple GPU")
    if shutil.which("nvidia-smi"):
        return Check("torch", WARN, f"{build}, no usable GPU", "install the CUDA build of torch")
    return Check("torch", OK, f"{build}, no GPU: models run on the processor")


def _models(settings: Settings) -> Iterator[Check]:
    from kernel.embedders import embedder_source
    from kernel.model_store import ModelStore

    store = ModelStore(settings.cache, offline=settings.offline)
    for role, name in (("embedder", embedder_source(settings)), ("generator", settings.generator)):
        if store.is_present(name):
            yield Check(f"model {role}", OK, name)
        elif settings.offline:
            yield Check(
                f"model {role}",
                FAIL,
                f"{name} is not here, and offline is set",
                "run `tekio models fetch` with a network and offline unset",
            )
        else:
            yield Check(
                f"model {role}",
                WARN,
                f"{name} is not here yet",
                "it is fetched at first use; `tekio models fetch` does it now",
            )


def _no_index(settings: Settings) -> Check:
    from retrieval.stores.opening import shown

    return Check("index", WARN, f"none in {shown(settings.place)}", "run `ingest PATH` with your documents")


def _index_present(settings: Settings) -> Check:
    from retrieval.stores.opening import is_in, shown

    try:
        if not is_in(settings.place):
            return _no_index(settings)
    except TekioError as error:
        return Check("index", FAIL, describe(error), "mend the setting store, or start the server")
    return Check("index", OK, f"present in {shown(settings.place)}")


def _index_counts(settings: Settings) -> Check:
    from kernel import app
    from retrieval.errors import IndexMissingError
    from retrieval.stores.opening import shown

    tekio = app.Tekio(settings)
    try:
        documents = tekio.documents()
    except IndexMissingError:
        return _no_index(settings)
    except TekioError as error:
        return Check("index", FAIL, describe(error), "do what it says, or ingest into a new folder")
    finally:
        tekio.close()
    chunks = sum(document.chunks for document in documents)
    found = f"{len(documents)} documents, {chunks} chunks in {shown(settings.place)}"
    return Check("index", OK, found) if documents else Check("index", WARN, found, "run `ingest PATH`")


def _disk(settings: Settings) -> Iterator[Check]:
    folders = {"memory": settings.memory} if settings.store else {"index": settings.index}
    for role, folder in (folders | {"models": settings.cache}).items():
        place = folder.absolute()
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        status = FAIL if free < _FULL_DISK else WARN if free < _LOW_DISK else OK
        advice = "" if status == OK else f"free some space, or move the folder with the setting {role}"
        yield Check(
            f"disk for {role}",
            status,
            f"{free / 1e9:.1f} GB free at {place}",
            advice.replace("setting models", "setting cache"),
        )
