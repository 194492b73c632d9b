"""`.tekioignore`: what a folder keeps out of the index, in the language of `.gitignore`.

The patterns are read by `gitignore_parser`; which of them holds is decided here, since a folder's own file
overrides those above it, and a pattern for folders must not hold for files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from gitignore_parser import IgnoreRule, rule_from_pattern

IGNORE_FILE = ".tekioignore"
_LONGEST = 1_000_000
_AND_BELOW = r"($|\/)"

Rules = tuple[IgnoreRule, ...]


def folder_rules(folder: str | Path, inherited: Rules = ()) -> Rules:
    """Return the rules that hold in a folder: those from above, then those of its own file, if it has one.

    A file that cannot be read, or is far too long to be one, counts as absent; so does a line that is no
    pattern.
    """
    try:
        with open(os.path.join(folder, IGNORE_FILE), encoding="utf-8-sig", errors="replace") as file:  # noqa: PTH118, PTH123
            lines = file.read(_LONGEST).splitlines()
    except OSError:
        return inherited
    base = Path(os.path.abspath(folder))  # noqa: PTH100 - links are not resolved
    rules = list(inherited)
    for number, line in enumerate(lines, start=1):
        try:
            rule = rule_from_pattern(line, base_path=base, source=(IGNORE_FILE, number))
        except Exception:  # noqa: S112 - the parser stumbles over a lone backslash or bracket
            continue
        if rule is not None:
            rules.append(_of_itself(rule))
    return tuple(rules)


def _of_itself(rule: IgnoreRule) -> IgnoreRule:
    """Let a pattern for folders hold for the folder alone: what is below is decided folder by folder."""
    return (
        rule._replace(regex=rule.regex.removesuffix(_AND_BELOW) + "$")
        if rule.regex.endswith(_AND_BELOW)
        else rule
    )


def is_ignored(path: str, rules: Sequence[IgnoreRule], *, is_folder: bool) -> bool:
    """Tell whether the last rule that matches a path (absolute, its folders not ignored) ignores it."""
    for rule in reversed(rules):
        if rule.directory_only and not is_folder:
            continue
        try:
            # The parser asks for the slash in just this case.
            if rule.match(path + "/" if rule.directory_only and rule.negation else path):
                return not rule.negation
        except ValueError:  # not below the rule's folder
            continue
    return False
