"""Pages as images for whoever looks at a source: drawn beside this process, within limits, and kept for a while."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
from collections import OrderedDict

from kernel.library.page_render import PageImage, PageRequest
from retrieval.errors import TekioError

_START = "from kernel.library.page_render import main; main()"
_KEPT = 64
_AT_ONCE = 2


class PageImages:
    """Draws pages, two at a time, and keeps the last ones."""

    def __init__(self, seconds: float) -> None:
        """Draw each page within so many seconds."""
        self._seconds = seconds
        self._kept: OrderedDict[tuple[str, PageRequest], PageImage] = OrderedDict()
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(_AT_ONCE)

    def image(self, content: str, request: PageRequest) -> PageImage:
        """Return a page of a file with this content (its hash).

        Raises:
            TekioError: it cannot be drawn; says why.
        """
        key = (content, request)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        with self._free:
            image = self._drawn(request)
        with self._lock:
            self._kept[key] = image
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return image

    def forget(self, content: str) -> None:
        """Forget the pages of a file with this content."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == content]:
                del self._kept[key]

    def _drawn(self, request: PageRequest) -> PageImage:
        # The same modules as here, also from a checkout.
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        try:
            done = subprocess.run(  # noqa: S603 - this program itself
                [sys.executable, "-c", _START],
                input=pickle.dumps(request),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
                timeout=self._seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TekioError(f"the page could not be drawn within {self._seconds:g} seconds") from None
        if done.returncode != 0 or not done.stdout:
            raise TekioError("the page cannot be drawn: the file broke down what draws it")
        drawn = pickle.loads(done.stdout)  # noqa: S301 - both ends are this program
        if isinstance(drawn, str):
            raise TekioError(drawn)
        assert isinstance(drawn, PageImage)
        return drawn
