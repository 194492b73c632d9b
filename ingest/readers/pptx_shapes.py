"""The shapes of a slide as blocks, in the order in which a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ingest.blocks import Block, BlockKind
from ingest.readers.tables import markdown_table
from ingest.readers.xml import descendants, local_name, parse_xml

_DEEPEST = 20
_MOST_POINTS = 2000
# Shapes whose tops differ by less stand side by side, in English Metric Units (a quarter of an inch).
_SAME_ROW = 228_600
_REPEATED = frozenset({"DATE", "FOOTER", "SLIDE_NUMBER", "HEADER"})
_BODY = frozenset({"BODY", "OBJECT", "VERTICAL_BODY", "VERTICAL_OBJECT"})


def shape_blocks(shapes: Iterable[Any], *, leave_out: int | None = None, depth: int = 0) -> Iterator[Block]:
    """Yield the blocks of shapes from top to bottom, and from left to right where they stand side by side.

    `leave_out` is the id of a shape that is read elsewhere. Footers, dates and slide numbers, which
    repeat on each slide, are left out. A group is read as one, in its place.
    """
    for shape in _in_reading_order(shapes):
        if shape.shape_id == leave_out and depth == 0:
            continue
        kind = _placeholder(shape)
        if kind in _REPEATED:
            continue
        if local_name(shape._element) == "grpSp":
            if depth < _DEEPEST:
                yield from shape_blocks(shape.shapes, depth=depth + 1)
        elif getattr(shape, "has_table", False):
            rows = [[_cell(cell) for cell in row.cells] for row in shape.table.rows]
            if table := markdown_table(rows):
                yield Block(table, BlockKind.TABLE)
        elif getattr(shape, "has_chart", False):
            yield from _chart(shape)
        elif shape.has_text_frame:
            yield from _text(shape.text_frame, listed=kind in _BODY)
        elif local_name(shape._element) == "graphicFrame":
            yield from _diagram(shape)


def _in_reading_order(shapes: Iterable[Any]) -> list[Any]:
    placed = sorted(shapes, key=lambda shape: (shape.top or 0, shape.left or 0))
    rows: list[list[Any]] = []
    for shape in placed:
        if rows and (shape.top or 0) - (rows[-1][0].top or 0) < _SAME_ROW:
            rows[-1].append(shape)
        else:
            rows.append([shape])
    return [shape for row in rows for shape in sorted(row, key=lambda shape: shape.left or 0)]


def _placeholder(shape: Any) -> str:
    if not shape.is_placeholder:
        return ""
    return str(getattr(shape.placeholder_format.type, "name", ""))


def _text(frame: Any, *, listed: bool) -> Iterator[Block]:
    """Yield the paragraphs of a text frame; `listed` when its layout sets them as a list."""
    filled = [paragraph for paragraph in frame.paragraphs if paragraph.text.strip()]
    counts: dict[int, int] = {}
    for paragraph in filled:
        text = "\n".join(line.strip() for line in paragraph.text.split("\v") if line.strip())
        level = paragraph.level or 0
        counts = {deep: count for deep, count in counts.items() if deep <= level}
        mark = _bullet(paragraph, listed=listed and len(filled) > 1)
        if mark == "1.":
            counts[level] = counts.get(level, 0) + 1
            mark = f"{counts[level]}."
        if mark:
            yield Block(f"{'  ' * level}{mark} {text}", BlockKind.LIST_ITEM)
        else:
            yield Block(text)


def _bullet(paragraph: Any, *, listed: bool) -> str:
    """Return `-`, `1.` or nothing: what the paragraph says, else what its layout does."""
    properties = paragraph._p.pPr
    for each in properties if properties is not None else ():
        name = local_name(each)
        if name == "buNone":
            return ""
        if name == "buAutoNum":
            return "1."
        if name in ("buChar", "buBlip"):
            return "-"
    return "-" if listed or paragraph.level else ""


def _cell(cell: Any) -> str:
    # A cell that a merge covers repeats nothing.
    return "" if cell.is_spanned else str(cell.text).replace("\v", "\n")


def _chart(shape: Any) -> Iterator[Block]:
    """Yield a chart's title, and its values as a table of categories and series."""
    try:
        chart = shape.chart
        title = (
            chart.chart_title.text_frame.text.strip()
            if chart.has_title and chart.chart_title.has_text_frame
            else ""
        )
        series = [each for plot in chart.plots for each in plot.series]
        names = next((list(plot.categories) for plot in chart.plots if len(plot.categories)), [])
        columns = [list(each.values)[:_MOST_POINTS] for each in series]
        heads = [str(each.name) for each in series]
    except (KeyError, ValueError, AttributeError, NotImplementedError, TypeError):
        # A kind of chart that the library does not know; the slide's other text is worth having.
        return
    if title:
        yield Block(" ".join(title.split()))
    length = max((len(column) for column in columns), default=0)
    rows = [["", *heads]]
    for index in range(length):
        name = str(names[index]) if index < len(names) else ""
        rows.append([name, *(_value(column[index]) if index < len(column) else "" for column in columns)])
    if length and (table := markdown_table(rows)):
        yield Block(table, BlockKind.TABLE)


def _value(value: Any) -> str:
    return f"{value:.15g}" if isinstance(value, float) else "" if value is None else str(value)


def _diagram(shape: Any) -> Iterator[Block]:
    """Yield the texts of a SmartArt diagram, which lie in a part of their own."""
    for reference in descendants(shape._element, "relIds"):
        for key, identity in reference.attrib.items():
            if not key.endswith("}dm") or identity not in shape.part.rels:
                continue
            root = parse_xml(shape.part.rels[identity].target_part.blob)
            for point in descendants(root, "pt"):
                lines = (
                    "".join(text.text or "" for text in descendants(line, "t")).strip()
                    for line in descendants(point, "p")
                )
                if text := "\n".join(line for line in lines if line):
                    yield Block(f"- {text}", BlockKind.LIST_ITEM)
