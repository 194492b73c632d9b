"""The errors that a person reads: one line that says what happened and what to do."""


class TekioError(Exception):
    """Base of every error that is shown to a user as one line, without a traceback.

    The message names what happened and what to do next. `exit_code` is what a command ends with.
    """

    exit_code = 1


def first_line(error: BaseException) -> str:
    """Return how an error of a library begins, for a line of one's own; its kind where it says nothing."""
    said = str(error).strip()
    return said.splitlines()[0][:200] if said else type(error).__name__


def openvino_line(error: BaseException) -> str:
    """Return what an error of OpenVINO says: its last line, behind those that say where in its source."""
    return (str(error).strip() or "no reason given").split("\n")[-1]


class UsageError(TekioError):
    """What was asked for is wrong: an unknown name, a number out of range, an empty question."""

    exit_code = 2


class NotFoundError(TekioError):
    """What was named is not there, or not the caller's to see."""


class DeniedError(TekioError):
    """The caller may see it, but not do this with it."""


class ConflictError(TekioError):
    """It cannot be done beside what is under way."""


class IndexMissingError(TekioError):
    """There is no index yet in the folder that was named."""


class IndexSignatureError(TekioError):
    """The index was made with another embedder than the one in the settings."""


class IndexBusyError(TekioError):
    """Another process is writing to the index."""


class IndexDamagedError(TekioError):
    """The database of an index cannot be read."""


class BusyError(TekioError):
    """So many requests are waiting that another would wait too long; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after
