"""The sections of a document: units that stand under one heading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.assemble import Assembled
from ingest.blocks import BlockKind
from ingest.units import Unit

# Sections shorter than this are too little to be found on their own.
_TINY = 60


@dataclass(slots=True)
class Section:
    """Units under one heading. `path` are the headings above their text, the outermost first."""

    path: tuple[str, ...]
    units: list[Unit]

    @property
    def tokens(self) -> int:
        """The tokens of all its units."""
        return sum(unit.tokens for unit in self.units)

    def contexts(self) -> list[tuple[str, ...]]:
        """Return the headings its chunks can have: its own, and those with the header of a table."""
        headers = dict.fromkeys(unit.header for unit in self.units if unit.header)
        return [self.path, *((*self.path, header) for header in headers)]


def heading_paths(assembled: Assembled) -> dict[int, tuple[str, ...]]:
    """Return for each heading, by the index of its block, the headings above it and itself."""
    paths: dict[int, tuple[str, ...]] = {}
    stack: list[tuple[int, str]] = []
    for index, block in enumerate(assembled.blocks):
        # What goes on over a page break belongs to the block before, whatever its kind.
        if block.kind is not BlockKind.HEADING or (block.continues and index):
            continue
        while stack and stack[-1][0] >= block.level:
            stack.pop()
        stack.append((block.level, " ".join(block.text.split())))
        paths[index] = tuple(text for _, text in stack)
    return paths


def make_sections(assembled: Assembled, units: Sequence[Unit]) -> list[Section]:
    """Group the units of a document by heading; a heading without text goes with the section below it."""
    sections: list[Section] = []
    paths = heading_paths(assembled)
    path: tuple[str, ...] = ()
    in_headings = False
    for unit in units:
        heading = unit.kind is BlockKind.HEADING
        if heading:
            path = paths[unit.block]
        if not sections or (heading and not in_headings):
            sections.append(Section(path, []))
        sections[-1].path = path
        sections[-1].units.append(unit)
        in_headings = heading
    return sections


def merge_tiny(sections: Sequence[Section], max_tokens: int) -> list[Section]:
    """Put neighbouring tiny sections under one parent together, up to half the cap."""
    tiny = min(_TINY, max_tokens // 4)
    merged: list[Section] = []
    mergeable = False
    for section in sections:
        small = section.tokens < tiny
        if merged and small and mergeable:
            before = merged[-1]
            parent = section.path[:-1]
            siblings = before.path in (parent, section.path) or before.path[:-1] == parent
            same_page = before.units[0].page == section.units[-1].page
            if siblings and same_page and before.tokens + section.tokens <= max_tokens // 2:
                merged[-1] = Section(parent, [*before.units, *section.units])
                continue
        merged.append(section)
        mergeable = small
    return merged
