"""What the parts of the facade stand on; `kernel.app` puts it together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from kernel.answer_cache import AnswerCache
from kernel.model_store import ModelStore
from kernel.settings import Settings
from retrieval.passages import PassageIndex

if TYPE_CHECKING:
    from kernel.engine.engine import Engine
    from kernel.functions.calling import Toolbox
    from kernel.library.library import Library
    from retrieval.sentence_transformer import SentenceTransformerEmbedder


class FacadeBase(ABC):
    """Settings, and ways to the index, the models and what is stored; each is opened when it is first needed."""

    settings: Settings
    _say: Callable[[str], None]
    _models: ModelStore

    @property
    @abstractmethod
    def library(self) -> Library:
        """The documents one by one: uploads, originals, images of pages, deletion."""

    @abstractmethod
    def default_variant(self) -> str:
        """Return who answers where nobody is asked for by name."""

    @abstractmethod
    def toolbox(self) -> Toolbox:
        """Return the functions that can be called."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the index and the models' thread."""

    @abstractmethod
    def _find_embedder(self) -> SentenceTransformerEmbedder:
        """Return the embedding model, found but not loaded."""

    @abstractmethod
    def _open_index(self, *, create: bool = False) -> PassageIndex:
        """Return the index, which this embedder made."""

    @abstractmethod
    def _any_index(self) -> AbstractContextManager[PassageIndex]:
        """Give the index as it is, whichever model made it."""

    @abstractmethod
    def _stored_answers(self) -> AbstractContextManager[AnswerCache]:
        """Give the store of answers."""

    @abstractmethod
    async def _started(self) -> Engine:
        """Return what answers questions, made when it is first needed."""

    @abstractmethod
    async def _started_apart(self) -> Engine:
        """Return what works on texts where there is no index, made when it is first needed."""
