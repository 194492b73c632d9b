"""What instructions to a language model look like: rules with weights, read from `suspicion_rules.txt`.

Each is a pattern over the plain form of a text (lower case, see `plain_form`). A sentence is taken for an instruction
to a model when its weights, the highest of each kind, come to `THRESHOLD`: a manual may say "reply only", a form "in
your answer", and neither is one. The words were chosen by hand from how such attacks are commonly described; nothing
was fitted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

THRESHOLD = 1.0
_FILE = Path(__file__).with_name("suspicion_rules.txt")
_GAP = r"[\W_]{0,4}"
_NAMED = re.compile(r"\{([A-Z_]+)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern; `weight` is what it adds, once for each `kind`."""

    kind: str
    weight: float
    pattern: re.Pattern[str]


@lru_cache(maxsize=1)
def load_rules() -> tuple[Rule, ...]:
    """Read the rules; a line is `NAME = PATTERN` or `KIND WEIGHT PATTERN`, `~` stands for a gap between words."""
    named: dict[str, str] = {}
    rules: list[Rule] = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        first, second, pattern = line.split(" ", 2)
        pattern = _NAMED.sub(lambda match: named[match[1]], pattern)
        if second == "=":
            named[first] = pattern
        else:
            compiled = re.compile(pattern.replace("~", _GAP), re.MULTILINE)
            rules.append(Rule(first, float(second), compiled))
    return tuple(rules)
