"""The process of the page: `tekio chat` runs this file, which runs Streamlit with the log of a server of Tekio's."""

from __future__ import annotations

import logging

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
    finally:  # at a signal Streamlit returns; what is cached for all of its sessions is let go of here alone
        st.cache_resource.clear()


if __name__ == "__main__":
    main()
