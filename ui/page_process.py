"""The process of the page: `tekio chat` runs this file, which runs Streamlit with the log of a server of Tekio's."""

from __future__ import annotations

import logging
import signal
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_THEIRS = ("streamlit", "uvicorn", "websockets")


class OneLogger(logging.Logger):
    """A logger that leaves what it is told to the process's own log, however a library sets up its own.

    Streamlit gives each of its loggers a handler, again whenever its settings are read: what it says of an error,
    as one in a button of the page, would pass by what keeps secrets out.
    """

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802 - the library's name
        """Take a handler, unless it is one of theirs."""
        if not self._is_theirs():
            super().addHandler(hdlr)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Hand a record on."""
        if self._is_theirs():
            self.propagate = True
        super().callHandlers(record)

    def _is_theirs(self) -> bool:
        return self.name.partition(".")[0] in _THEIRS


def main() -> None:
    """Run Streamlit with the words of the command line."""
    logging.setLoggerClass(OneLogger)
    for stop in (signal.SIGINT, signal.SIGTERM):
        # The server ends in good order and raises the signal again, which by itself would end the process there.
        signal.signal(stop, lambda *_: sys.exit(0))
    from kernel.settings import load_settings
    from ui.console import quiet_libraries
    from ui.server_logs import configure_logs, redaction_of

    quiet_libraries()
    settings = load_settings()
    configure_logs(settings, redaction_of(settings))

    import streamlit as st
    from streamlit.web.cli import main as run

    try:
        run(prog_name="streamlit")
    finally:  # what is cached for all of its sessions is let go of here alone
        st.cache_resource.clear()


@asynccontextmanager
async def shown_in_a_browser(_app: object) -> AsyncIterator[None]:
    """Open the page in a browser as it starts, which Streamlit does for bare scripts alone."""
    from streamlit import config

    if not config.get_option("server.headless"):
        # The port is open already: who comes now waits a moment.
        threading.Thread(target=webbrowser.open, args=[_own_address()], daemon=True).start()
    yield


def _own_address() -> str:
    from streamlit import config

    host = str(config.get_option("server.address"))
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - looked for, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{config.get_option('server.port')}"


if __name__ == "__main__":
    main()
