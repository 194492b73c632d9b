"""Where things are: the index, uploads, jobs, the memory, examples, adapters and models."""

from __future__ import annotations

from pathlib import Path

import platformdirs
from pydantic import BaseModel, Field, field_validator

from kernel.settings.home import HomePath
from retrieval.stores.opening import Place, beside, is_address


class Places(BaseModel, frozen=True):
    """Folders and addresses."""

    index: HomePath = Field(Path(".tekio/index"), description="folder of the index")
    store: str = Field(
        "",
        description="address of the index where it is in no folder: postgresql://… or qdrant://…",
    )
    uploads: HomePath | None = Field(
        None,
        description="folder of the files that were uploaded; unset: beside the index, or .tekio/uploads",
    )
    max_upload_mb: int = Field(
        100, ge=1, le=100_000, description="most that one upload may be, all its files"
    )
    jobs: HomePath = Field(Path(".tekio/jobs"), description="folder of the jobs that the API started")
    job_roots: list[Path] = Field(
        [],
        description="folders below which jobs of the API may read: documents to ingest, training sets, questions",
    )
    memory: HomePath = Field(Path(".tekio/memory"), description="folder of the semantic memory")
    examples: HomePath = Field(
        Path(".tekio/examples"), description="folder of the worked examples that were added"
    )
    edit_examples: bool = Field(
        False, description="let the API list, add and delete worked examples, which hold text of documents"
    )
    prompts: list[HomePath] = Field(
        [Path(".tekio/prompts")], description="folders whose folders are prompt functions"
    )
    adapters: HomePath = Field(
        Path(".tekio/adapters"), description="folder in which a variant's name is an adapter folder"
    )
    embedders: HomePath = Field(
        Path(".tekio/embedders"),
        description="folder in which an embedder's name is a folder that was trained",
    )
    cache: HomePath = Field(
        default_factory=lambda: platformdirs.user_cache_path("tekio") / "models",
        description="folder of the models",
    )
    offline: bool = Field(False, description="never fetch a model")

    @field_validator("index", mode="before")
    @classmethod
    def _folder(cls, value: object) -> object:
        if isinstance(value, str) and is_address(value):
            raise ValueError("an address belongs into the setting store")
        return value

    @field_validator("store")
    @classmethod
    def _address(cls, value: str) -> str:
        if value and not is_address(value):
            raise ValueError("it is an address, postgresql://… or qdrant://…; a folder belongs into index")
        return value

    @property
    def place(self) -> Place:
        """Where the index is: a folder or an address."""
        return self.store or self.index

    @property
    def memory_place(self) -> Place:
        """Where the semantic memory is."""
        return beside(self.store, "memory") if self.store else self.memory

    @property
    def uploads_folder(self) -> Path:
        """Where uploaded files are: not within the index's folder, which can be made anew from them."""
        if self.uploads is not None:
            return self.uploads
        return Path(".tekio/uploads") if self.store else self.index.with_name(f"{self.index.name}-uploads")
