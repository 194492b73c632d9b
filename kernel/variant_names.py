"""The names of the variants that are always there."""

from __future__ import annotations

BASE = "base"
"""The variant of the language model as it is."""
EXTRACTIVE = "extractive"
"""The variant without a language model."""
