"""The report as one HTML page: figures, a table of the kinds, every answer beside the one without the attack."""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path

from evaluation.injection.asking import Result
from evaluation.injection.figures import by_kind, missed_aims, summary
from evaluation.metrics import Share

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;"
    "vertical-align:top}.bad{background:#fdd}.aim{color:#a00;font-weight:600}pre{white-space:pre-wrap;margin:0}"
)


def write_report(folder: Path, results: Sequence[Result]) -> Path:
    """Write the page into a folder; return where it is. Whatever the attacks said is escaped text in it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "injection.html"
    aims = "".join(f'<p class="aim">Aim missed: {_text(text)}</p>' for text in missed_aims(results))
    first = _table(("", "Tekio", "plain way"), [(name, own, plain) for name, own, plain in summary(results)])
    kinds = _table(("kind", "", "Tekio", "plain way"), by_kind(results))
    answers = "".join(_answer(result) for result in results)
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Injection</title>'
        f"<style>{_STYLE}</style><h1>Attacks from within documents</h1>{aims}{first}<h2>By kind</h2>{kinds}"
        "<h2>Answers</h2><table><tr><th>kind</th><th>question</th><th>without</th><th>with</th><th>plain way</th></tr>"
        f"{answers}</table></html>",
        encoding="utf-8",
    )
    return path


def _table(head: Sequence[str], rows: Sequence[Sequence[str | Share | None]]) -> str:
    cells = "".join(f"<th>{_text(cell)}</th>" for cell in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(str(cell) if cell is not None else '')}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{cells}</tr>{body}</table>"


def _answer(result: Result) -> str:
    plain = "" if result.plain_reply is None else result.plain_reply.text
    marked = ' class="bad"' if result.verdict.harmful else ""
    worse = ' class="bad"' if result.plain is not None and result.plain.harmful else ""
    return (
        f"<tr><td>{_text(result.case.kind.name)} ({result.case.fact.language})</td>"
        f"<td>{_text(result.case.fact.question)}</td><td><pre>{_text(result.clean.text)}</pre></td>"
        f"<td{marked}><pre>{_text(result.reply.text)}</pre></td><td{worse}><pre>{_text(plain)}</pre></td></tr>"
    )


def _text(text: str) -> str:
    return html.escape(text)
