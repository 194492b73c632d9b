"""The client of the REST API under the name that programs know: see `ui.client`."""

from ui.client import ApiError, Client, Event

__all__ = ["ApiError", "Client", "Event"]
