"""What all values of an answer are: never changed once they are made."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FrozenModel(BaseModel):
    """A value that cannot be changed, and that tells of an error in it without its text."""

    # What is wrong with a value is told without the value, which can be a document's text.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
