"""Render the sample corpus (an invented hospital handbook) and check its questions.

The sources in ``data/corpus_sources/`` are Markdown files with a small front matter; those with
``format: pdf`` or ``format: docx`` are rendered to the same place under ``data/corpus/``.  The ``.md``,
``.txt`` and ``.html`` documents of the corpus (also the one with a Japanese name) have no other source:
they live as originals in ``data/corpus/`` and this script leaves them alone.

Usage::

    python data/make_corpus.py           # write the PDF and DOCX files
    python data/make_corpus.py --check   # check data/questions.jsonl against data/corpus

Requirements: ``reportlab``, ``python-docx``, ``matplotlib-fontja`` (only for its free Japanese font,
IPAexGothic, under the IPA Font License; install it with ``pip install --no-deps matplotlib-fontja``) and, for
``--check``, ``pypdf``.  Only the glyphs that are used are embedded, and a second run writes the same bytes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import html
import importlib.util
import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent
SOURCES = DATA / "corpus_sources"
CORPUS = DATA / "corpus"
QUESTIONS = DATA / "questions.jsonl"
HOSPITAL = {"en": "Minatogaoka General Hospital", "ja": "港ヶ丘総合病院"}


@dataclass
class Block:
    """One block of a source: a heading, paragraph, bullet, numbered item or table."""

    kind: str
    text: str = ""
    level: int = 0
    rows: tuple[tuple[str, ...], ...] = ()


def read_source(path: Path) -> tuple[dict[str, str], list[Block]]:
    """Split a source into its front matter and its blocks."""
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    meta = {k.strip(): v.strip() for k, v in (line.split(":", 1) for line in head.splitlines() if line)}
    return meta, list(parse_blocks(body))


def parse_blocks(body: str) -> Iterator[Block]:
    """Parse the Markdown that the sources use: headings, paragraphs, flat lists and pipe tables."""
    for chunk in re.split(r"\n\s*\n", body.strip()):
        lines = chunk.splitlines()
        if lines[0].startswith("|"):
            cells = [tuple(c.strip() for c in line.strip().strip("|").split("|")) for line in lines]
            yield Block("table", rows=(cells[0], *cells[2:]))
        elif match := re.match(r"(#+) (.*)", lines[0]):
            yield Block("heading", match[2], len(match[1]))
        elif lines[0].startswith("- "):
            yield from (Block("bullet", line[2:]) for line in lines)
        elif re.match(r"\d+\. ", lines[0]):
            for line in lines:
                number, text = line.split(". ", 1)
                yield Block("number", text, int(number))
        else:
            yield Block("paragraph", " ".join(lines))


def register_fonts() -> None:
    """Register the embedded fonts: Bitstream Vera for English, IPAexGothic for Japanese."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    spec = importlib.util.find_spec("matplotlib_fontja")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("matplotlib-fontja is missing: pip install --no-deps matplotlib-fontja")
    japanese = Path(spec.submodule_search_locations[0]) / "fonts" / "ipaexg.ttf"
    files = {"en": "Vera.ttf", "en-bold": "VeraBd.ttf", "ja": str(japanese), "ja-bold": str(japanese)}
    for name, file in files.items():
        pdfmetrics.registerFont(TTFont(name, file))


def inline(text: str, lang: str) -> str:
    """Turn ``**bold**`` into reportlab markup."""
    return re.sub(r"\*\*(.+?)\*\*", rf'<font name="{lang}-bold">\1</font>', html.escape(text, quote=False))


def column_need(text: str, lang: str) -> float:
    """Return a rough weight for the width of a table column that holds this text."""
    word = max(map(len, text.split()), default=1) * 1.25 if lang == "en" else 1.0
    return max(word, min(len(text), 24)) + 3


def pdf_story(meta: dict[str, str], blocks: list[Block], width: float) -> list[Any]:
    """Lay the blocks out as reportlab flowables for a column of the given width."""
    from reportlab.lib import colors
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph, Spacer, Table, TableStyle

    lang, narrow = meta["language"], meta["layout"] == "two-column"
    size = 9.6 if narrow else {"en": 10.2, "ja": 11.6}[lang]
    lead = size * (1.75 if lang == "ja" else 1.5)
    navy = colors.HexColor("#1f3a5f")
    wrap = {"wordWrap": "CJK" if lang == "ja" else None, "allowWidows": 0, "allowOrphans": 0}
    base = ParagraphStyle("base", fontName=lang, fontSize=size, leading=lead, spaceAfter=lead / 2, **wrap)
    item = ParagraphStyle(
        "item", base, leftIndent=18, bulletIndent=2, bulletFontName=lang, spaceAfter=lead * 0.2
    )
    cell = ParagraphStyle("cell", base, fontSize=size - 1, leading=(size - 1) * 1.35, spaceAfter=0)
    head = ParagraphStyle("head", cell, fontName=f"{lang}-bold", textColor=colors.white)
    title = ParagraphStyle("title", base, fontName=f"{lang}-bold", fontSize=17, leading=24, textColor=navy)
    around = {"spaceBefore": lead * 0.6, "spaceAfter": lead * 0.3, "keepWithNext": 1}
    section = {
        level: ParagraphStyle(f"h{level}", title, fontSize=points, leading=points * 1.4, **around)
        for level, points in ((2, size + 2.6), (3, size + 1))
    }
    story: list[Any] = [Paragraph(inline(meta["title"], lang), title), Spacer(1, 4)]
    for block in blocks:
        if block.kind == "heading":
            story.append(Paragraph(inline(block.text, lang), section[block.level]))
        elif block.kind == "table":
            styles = [head, *[cell] * (len(block.rows) - 1)]
            rows = [
                [Paragraph(inline(c, lang), s) for c in r] for r, s in zip(block.rows, styles, strict=True)
            ]
            need = [max(column_need(r[i], lang) for r in block.rows) for i in range(len(rows[0]))]
            table = Table(rows, colWidths=[width * n / sum(need) for n in need], repeatRows=1)
            grid = [("GRID", (0, 0), (-1, -1), 0.5, colors.grey), ("BACKGROUND", (0, 0), (-1, 0), navy)]
            whole = [("VALIGN", (0, 0), (-1, -1), "MIDDLE"), ("FONTNAME", (0, 0), (-1, -1), lang)]
            table.setStyle(TableStyle(grid + whole))
            story += [table, Spacer(1, lead * 0.7)]
        elif block.kind == "paragraph":
            story.append(Paragraph(inline(block.text, lang), base))
        else:
            mark = f"{block.level}." if block.kind == "number" else {"en": "•", "ja": "・"}[lang]
            story.append(Paragraph(inline(block.text, lang), item, bulletText=mark))
    return story


def render_pdf(meta: dict[str, str], blocks: list[Block], target: Path) -> None:
    """Write a PDF with a running head and page numbers; columns are frames, filled left then right."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    (page_w, page_h), margin, gap, lang = A4, 68.0, 22.0, meta["language"]
    columns = 2 if meta["layout"] == "two-column" else 1
    width = (page_w - 2 * margin - gap * (columns - 1)) / columns
    pages = 0

    def furniture(canvas: Any, doc: Any) -> None:
        """Draw the running head and the foot of one page."""
        canvas.setFillGray(0.35)
        canvas.setFont(lang, 8)
        if meta["running_head"]:
            canvas.drawString(margin, page_h - 40, f"{HOSPITAL[lang]}    {meta['running_head']}")
            canvas.line(margin, page_h - 46, page_w - margin, page_h - 46)
        canvas.drawString(margin, 36, f"{meta['number']}  {meta['revised']}")
        page = f"{doc.page} / {pages} ページ" if lang == "ja" else f"Page {doc.page} of {pages}"
        canvas.drawRightString(page_w - margin, 36, page)

    data = b""
    for _ in range(2):  # the first pass only counts the pages
        buffer = io.BytesIO()
        lefts = [margin + i * (width + gap) for i in range(columns)]
        frames = [Frame(left, 62, width, page_h - 122, 0, 0, 0, 0) for left in lefts]
        info = {"title": meta["title"], "author": HOSPITAL[lang], "lang": lang, "initialFontName": lang}
        doc = BaseDocTemplate(buffer, pagesize=A4, invariant=1, **info)
        doc.addPageTemplates(PageTemplate("page", frames, onPageEnd=furniture))
        doc.build(pdf_story(meta, blocks, width))
        pages, data = doc.page, buffer.getvalue()
    target.write_bytes(data)


def render_docx(meta: dict[str, str], blocks: list[Block], target: Path) -> None:
    """Write a Word document with real headings, lists and tables, and fixed dates."""
    from docx import Document
    from docx.oxml.ns import qn
    from docx.shared import Pt

    doc = Document()
    font = "Yu Gothic" if meta["language"] == "ja" else "Calibri"
    for style in ("Normal", "Title", "Heading 1", "Heading 2"):
        doc.styles[style].font.name = font
        doc.styles[style].element.get_or_add_rPr().rFonts.set(qn("w:eastAsia"), font)
    doc.styles["Normal"].font.size = Pt(10.5)
    day = dt.datetime.fromisoformat(meta["revised"])
    props = doc.core_properties
    props.title, props.author, props.language = meta["title"], HOSPITAL[meta["language"]], meta["language"]
    props.created = props.modified = day
    props.comments, props.last_modified_by, props.revision = "", props.author, 1
    doc.add_heading(meta["title"], 0)
    doc.add_paragraph(f"{HOSPITAL[meta['language']]}  {meta['number']}  {meta['revised']}")
    for block in blocks:
        if block.kind == "heading":
            doc.add_heading(block.text, block.level - 1)
        elif block.kind == "table":
            table = doc.add_table(rows=0, cols=len(block.rows[0]), style="Light Grid Accent 1")
            for row in block.rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
            doc.add_paragraph()
        else:
            kinds = {"bullet": "List Bullet", "number": "List Number"}
            paragraph = doc.add_paragraph(style=kinds.get(block.kind))
            for i, run in enumerate(block.text.split("**")):
                paragraph.add_run(run).bold = bool(i % 2)
    buffer = io.BytesIO()
    doc.save(buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():  # the same parts with a fixed time stamp
            new.writestr(zipfile.ZipInfo(name, day.timetuple()[:6]), old.read(name), zipfile.ZIP_DEFLATED)


def document_text(path: Path, page: int | None) -> str:
    """Return the text of a document (of one page, for a PDF) with the whitespace folded."""
    if path.suffix == ".pdf":
        from pypdf import PdfReader

        pages = [p.extract_text() for p in PdfReader(path).pages]
        text = "\n".join(pages) if page is None else pages[page - 1]
    elif path.suffix == ".docx":
        from docx import Document

        doc = Document(str(path))
        cells = [c.text for t in doc.tables for r in t.rows for c in r.cells]
        text = "\n".join([p.text for p in doc.paragraphs] + cells)
    else:
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".html":
            text = html.unescape(re.sub(r"<[^>]+>", " ", text))
    return " ".join(text.split())


def check() -> int:
    """Check the counts of the questions, and that every answer is verbatim on its page."""
    rows = [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]
    answerable = [r for r in rows if r["answerable"]]
    errors = [f"{r['id']}: unanswerable with evidence" for r in rows if not r["answerable"] and r["document"]]
    keys = ["id", "language", "question", "answer", "document", "page", "answerable"]
    errors += [f"{r.get('id')}: wrong keys" for r in rows if list(r) != keys]
    for lang in ("en", "ja"):
        per = [r for r in rows if r["language"] == lang]
        if (len(per), sum(not r["answerable"] for r in per)) != (20, 6):
            errors.append(f"{lang}: expected 20 questions, 6 of them unanswerable")
    if [r["id"] for r in rows] != [f"q{n:02}" for n in range(1, 41)]:
        errors.append("ids are not q01 to q40")
    for row in answerable:
        path = CORPUS / row["document"]
        if (path.suffix == ".pdf") != (row["page"] is not None):
            errors.append(f"{row['id']}: a page is given for PDFs, and only for them")
        elif row["answer"] not in document_text(path, row["page"]):
            errors.append(f"{row['id']}: {row['answer']!r} is not in {row['document']} page {row['page']}")
    in_pdf = sum(r["page"] is not None for r in answerable)
    suffixes = sorted({Path(r["document"]).suffix for r in answerable})
    if in_pdf < 14 or suffixes != [".docx", ".html", ".md", ".pdf", ".txt"]:
        errors.append("too few questions on PDFs, or a format without a question")
    print(*errors, sep="\n", end="\n" if errors else "")
    print(f"{len(rows)} questions, {len(answerable)} answerable, {in_pdf} on PDFs, {len(errors)} errors")
    return 1 if errors else 0


def main() -> int:
    """Render the corpus, or check the questions."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="check the questions; write nothing")
    if parser.parse_args().check:
        return check()
    register_fonts()
    for source in sorted(SOURCES.rglob("*.md")):
        meta, blocks = read_source(source)
        target = (CORPUS / source.relative_to(SOURCES)).with_suffix(f".{meta['format']}")
        target.parent.mkdir(parents=True, exist_ok=True)
        (render_pdf if meta["format"] == "pdf" else render_docx)(meta, blocks, target)
        print(target.relative_to(DATA))
    return 0


if __name__ == "__main__":
    sys.exit(main())
