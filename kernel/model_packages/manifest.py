"""What a finished model folder is: the manifest of a converted one, the revision of any other."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kernel.model_packages.catalog import KnownModel
from kernel.model_packages.download import sha256_of

MANIFEST = "tekio_model.json"
CARD = "tekio_embedder.json"
"""What training writes beside an embedder's weights; it says nothing that a model computes by."""
LAB_CARD = "tekio_lab.json"
"""What the lab writes beside a model's weights; the same holds of it."""
_REVISIONS = "folder_revisions.json"
_WEIGHTS = (".safetensors", ".bin", ".pt", ".onnx", ".gguf")
_MEANINGFUL = (*_WEIGHTS, ".json", ".model", ".txt", ".jinja")


def write_manifest(folder: Path, model: KnownModel) -> None:
    """Write the manifest of a converted model; done last, its presence says that the folder is complete."""
    weights = sha256_of(folder / "model.safetensors")
    form = f"{model.package}-{model.version}+{model.form}"
    content = {
        "name": model.name,
        "revision": f"{form}.{model.converter_version}.{weights[:12]}",
        "package": model.package,
        "version": model.version,
        "licence": model.licence,
        "wheel_sha256": model.sha256,
        "converter_version": model.converter_version,
        "weights_sha256": weights,
        "files": {
            path.relative_to(folder).as_posix(): path.stat().st_size
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")


def installed_revision(folder: Path, model: KnownModel) -> str | None:
    """Return the revision of a converted model that is complete and made by this converter, or None.

    Sizes are compared and not hashes, so that it takes no time.
    """
    content = _read_json(folder / MANIFEST)
    try:
        if content["wheel_sha256"] != model.sha256 or content["converter_version"] != model.converter_version:
            return None
        if any((folder / name).stat().st_size != size for name, size in content["files"].items()):
            return None
        return str(content["revision"])
    except (KeyError, AttributeError, TypeError, OSError):
        return None


def folder_revision(folder: Path, cache: Path) -> str:
    """Return the revision of a model folder that was not converted here: a hash over its files.

    Weights take seconds to read, so the result is remembered in `cache` until a file's size or time changes.
    """
    paths = sorted(_meaningful_files(folder))
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in paths]
    stamp = [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats]
    remembered = _read_json(cache / _REVISIONS)
    known = remembered.get(str(folder))
    if isinstance(known, dict) and known.get("stamp") == stamp and isinstance(known.get("revision"), str):
        return str(known["revision"])
    digest = hashlib.sha256()
    for path, (name, stat) in zip(paths, stats, strict=True):
        digest.update(f"{name}\0{stat.st_size}\0{sha256_of(path)}\n".encode())
    revision = f"sha256-{digest.hexdigest()[:16]}"
    _remember(cache, remembered | {str(folder): {"stamp": stamp, "revision": revision}})
    return revision


def has_model(folder: Path) -> bool:
    """Say whether a folder is a model in the form of transformers or sentence-transformers."""
    return (folder / "config.json").is_file() or (folder / "modules.json").is_file()


def has_weights(folder: Path) -> bool:
    """Say whether the weights of a model folder are there, all parts of them."""
    for index in folder.glob("*.index.json"):
        parts = _read_json(index).get("weight_map")
        if isinstance(parts, dict):
            return all((folder / part).is_file() for part in set(parts.values()))
    return any(path.suffix in _WEIGHTS for path in folder.iterdir())


def _meaningful_files(folder: Path) -> Iterator[Path]:
    """Yield the files that decide what a model computes: not its readme, nor checkpoints below it."""
    modules = _read_json(folder / "modules.json", default=[])
    parts = [module["path"] for module in modules if isinstance(module, dict) and module.get("path")]
    for parent in (folder, *(folder / part for part in parts)):
        if parent.is_dir():
            for path in parent.iterdir():
                if (
                    path.suffix in _MEANINGFUL
                    and path.name not in (MANIFEST, CARD, LAB_CARD)
                    and path.is_file()
                ):
                    yield path


def _read_json(path: Path, default: Any = None) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {} if default is None else default


def _remember(cache: Path, revisions: dict[str, Any]) -> None:
    """Keep the revisions for the next time; a cache that cannot be written only costs that time."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=cache, prefix=f".{_REVISIONS}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(revisions, file)
        Path(name).replace(cache / _REVISIONS)
    except OSError:
        return
