"""An index as a whole: copied, backed up and put back, and what is stored of answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from kernel.answer_cache import CacheState
from kernel.facade.base import FacadeBase
from retrieval.index_copy import Copied, copy_index
from retrieval.stores.opening import Place

if TYPE_CHECKING:
    from kernel.backup.places import Counted, Places


class Keeping(FacadeBase):
    """What is done with all that is kept."""

    def copy_index(self, target: Place, *, on_progress: Callable[[int, int], None]) -> Copied:
        """Copy the index to another place, without embedding anything, see `retrieval.index_copy`."""
        return copy_index(self.settings.place, target, on_progress=on_progress)

    def back_up(self, file: Path, *, adapters: bool = False, force: bool = False) -> Counted:
        """Write the index and all that belongs to it into one file, while others ask and write.

        Args:
            file: to write.
            adapters: put in the adapters, the trained embedders and the models of the lab too.
            force: replaces a file that is there.

        Raises:
            IndexMissingError: there is no index.
            UsageError: the file is there.
        """
        from kernel.backup.making import back_up

        return back_up(self._places(adapters=adapters), file, force=force, say=self._say)

    def restore(self, file: Path, *, force: bool = False) -> Counted:
        """Put back what `back_up` wrote, into the places that the settings name. This Tekio is closed by it.

        Args:
            file: of the backup.
            force: replaces what is there.

        Raises:
            UsageError: it is no backup, or there is something already.
            IndexBusyError: another process has the index open.
        """
        from kernel.backup.restoring import restore

        self.close()
        return restore(file, self._places(adapters=True), force=force, say=self._say)

    def _places(self, *, adapters: bool) -> Places:
        from kernel.backup.places import Places
        from kernel.settings import SETTINGS_FILE

        settings = self.settings
        folders = {
            "examples": settings.examples,
            "uploads": settings.uploads_folder,
            "jobs": settings.jobs,
        }
        folders |= {f"prompts-{number}": folder for number, folder in enumerate(settings.prompts)}
        if adapters:
            folders |= {"adapters": settings.adapters, "embedders": settings.embedders}
            folders |= {"policies": settings.policy_files, "models": settings.models}
        return Places(
            index=settings.place,
            memory=settings.memory_place,
            said=settings.memory,
            answers=settings.answers_file,
            settings=Path(SETTINGS_FILE),
            folders=folders,
        )

    def stored_answers(self) -> CacheState:
        """Return what is stored of answers."""
        with self._stored_answers() as answers:
            return answers.state()

    def forget_answers(self) -> int:
        """Take out all stored answers; return how many there were."""
        with self._stored_answers() as answers:
            return answers.clear()

    def _forget_answers_of(self, documents: set[int]) -> int:
        with self._stored_answers() as answers:
            return answers.forget(documents)
