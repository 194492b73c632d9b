"""What an ingest did, for people: the counts, and for each file that is not plainly right what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ui.console import print_table, print_text

if TYPE_CHECKING:
    from ingest.report import FileReport, IngestReport

_UNREMARKABLE = ("ok", "unchanged")
_UNSURPRISING_ENGINES: tuple[set[str], ...] = (set(), {"pypdf"})
_ADVICE = {
    "partial": "a part was not read: see the reason; where pages are pictures, ingest again with --ocr",
    "no_text_layer": "a scan without text: ingest again with --ocr",
    "empty": "nothing in it to read; check that it is the right file",
    "encrypted": "give its password by --passwords-file or --password",
    "unsupported": "this format is not read; save it as PDF or in an office format",
    "failed": "see the reason, mend the file and ingest again; the other files are not affected",
    "removed": "taken out of the index; nothing to do",
}


def print_report(report: IngestReport) -> None:
    """Print the report of an ingest."""
    print_text(
        f"added {report.added}  updated {report.updated}  unchanged {report.unchanged}  "
        f"removed {report.removed}  failed {report.failed}"
    )
    rows = [
        (file.path, str(file.outcome), _reason(file), _ADVICE.get(str(file.outcome), ""))
        for file in report.files
        if str(file.outcome) not in _UNREMARKABLE or _is_remarkable(file)
    ]
    if rows:
        print_text()
        print_table(("file", "outcome", "reason", "what to do"), rows)


def _is_remarkable(file: FileReport) -> bool:
    if str(file.outcome) == "unchanged":
        return file.message.startswith("moved")
    if str(file.outcome) == "ok" and file.message:  # hidden text, of which the reader should know
        return True
    return set(file.engines) not in _UNSURPRISING_ENGINES


def _reason(file: FileReport) -> str:
    from ingest.pages import page_ranges

    parts = [file.message] if file.message else []
    if file.empty_pages:
        pages = page_ranges(file.empty_pages[:10]) + (" …" if len(file.empty_pages) > 10 else "")
        of = f" of {file.pages}" if file.pages else ""
        parts.append(f"{len(file.empty_pages)}{of} pages without text: {pages}")
    if set(file.engines) not in _UNSURPRISING_ENGINES:
        parts.append(
            "; ".join(f"pages {page_ranges(pages)} by {name}" for name, pages in file.engines.items())
        )
    return "; ".join(parts)
