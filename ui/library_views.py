"""What the API tells of files that were read and of passages, with what to do where something is not right."""

from __future__ import annotations

from ingest.report import FileReport
from kernel.library.results import UploadReport
from retrieval.records import DocumentSummary, Passage, document_key
from ui.library_models import DocumentPassage, UploadedFile, UploadResponse

_ADVICE = {
    "partial": "a part was not read: see message; where pages are pictures, send it again with ocr=true",
    "no_text_layer": "a scan without text: send it again with ocr=true; nothing was kept",
    "empty": "nothing in it to read; check that it is the right file",
    "encrypted": "save it without a password and send it again; nothing was kept",
    "unsupported": "this format is not read; save it as PDF or in an office format",
    "failed": "see message, mend the file and send it again; the other files are not affected",
}
_REREAD = {
    "partial": "a part was not read: see message; where pages are pictures, read it again with ocr=true",
    "no_text_layer": "a scan without text: read it again with ocr=true",
}
_REREAD_FAILED = "see message, mend the file and read it again; what was read before is kept"


def view_upload(report: UploadReport) -> UploadResponse:
    """Return what became of an upload as the API tells it."""
    return UploadResponse(
        added=report.added,
        updated=report.updated,
        unchanged=report.unchanged,
        failed=report.failed,
        files=[
            _view_file(
                file.id,
                file.name,
                file.report,
                _ADVICE.get(str(file.report.outcome), ""),
                replaced=file.replaced,
            )
            for file in report.files
        ],
    )


def view_reread(document: DocumentSummary, report: FileReport) -> UploadedFile:
    """Return what became of a document that was read again."""
    outcome = str(report.outcome)
    advice = "" if outcome in ("ok", "unchanged") else _REREAD.get(outcome, _REREAD_FAILED)
    return _view_file(document_key(document.path), document.document, report, advice)


def _view_file(
    key: str | None, name: str, report: FileReport, advice: str, *, replaced: bool = False
) -> UploadedFile:
    told = report.as_dict()
    return UploadedFile(
        id=key,
        document=name,
        replaced=replaced,
        advice=advice,
        **{key: told[key] for key in ("outcome", "chunks", "pages", "empty_pages", "encoding", "message")},
    )


def view_part(passage: Passage) -> DocumentPassage:
    """Return a passage of a document as the API tells it."""
    return DocumentPassage(
        id=passage.id,
        number=passage.rank,
        page=passage.page,
        headings=list(passage.headings),
        start=passage.start,
        end=passage.end,
        text=passage.text,
    )
