"""`summarize`, `compare` and `extract`: what is done with whole documents."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from retrieval.errors import UsageError
from ui.commands.query import LanguageOption, VariantOption
from ui.console import print_json, print_text, say
from ui.document_text import print_comparison, print_extraction, print_summary
from ui.opening import event_loop, opened
from ui.options import AsOption, GroupOption, IndexOption, JsonFlag, chosen_caller

if TYPE_CHECKING:
    from kernel.app import Tekio
    from retrieval.access import Caller

DocumentArgument = Annotated[
    str, typer.Argument(help="Name of a document, as `tekio documents` lists it, or the end of it.")
]
PART_FAILED = 3


def summarize(
    document: DocumentArgument,
    sentences: Annotated[
        int, typer.Option("--sentences", min=1, max=30, help="Sentences of an extractive summary.")
    ] = 5,
    variant: VariantOption = None,
    language: LanguageOption = None,
    user: AsOption = None,
    group: GroupOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Summarise a document, each sentence cited."""
    caller = chosen_caller(user, group)
    with opened(index) as tekio, event_loop() as loop:
        summary = loop.call(
            tekio.summarize(
                document,
                sentences=sentences,
                variant=variant,
                language=language,
                caller=caller,
                on_progress=lambda done, total: say(f"part {done} of {total}"),
            )
        )
    if as_json:
        print_json(summary.model_dump(mode="json"))
        return
    print_summary(summary)


def compare(
    first: DocumentArgument,
    second: DocumentArgument,
    about: Annotated[
        str | None,
        typer.Option("--about", help="Compare what is nearest to this alone.", show_default=False),
    ] = None,
    variant: VariantOption = None,
    language: LanguageOption = None,
    user: AsOption = None,
    group: GroupOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Compare two documents: what they say alike, differently, and what one of them says alone."""
    caller = chosen_caller(user, group)
    with opened(index) as tekio, event_loop() as loop:
        comparison = loop.call(
            tekio.compare(first, second, about=about, variant=variant, language=language, caller=caller)
        )
    if as_json:
        print_json(comparison.model_dump(mode="json"))
        return
    print_comparison(comparison)


def extract(
    source: Annotated[
        str, typer.Argument(metavar="DOCUMENT|QUESTION", help="Name of a document, or a question.")
    ],
    schema: Annotated[
        str,
        typer.Option(
            "--schema", metavar="FILE", help="A JSON Schema (draft 2020-12) of an object; - reads it."
        ),
    ],
    variant: VariantOption = None,
    language: LanguageOption = None,
    user: AsOption = None,
    group: GroupOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Read facts out of a document, or of what is found for a question, as JSON that follows a schema.

    Every value stands in the documents, with its place. Ends with 3 where the schema cannot be met, and says by which
    property; what was found is printed all the same.
    """
    wanted = _schema(schema)
    caller = chosen_caller(user, group)
    with opened(index) as tekio, event_loop() as loop:
        what = _document_or_question(tekio, source, caller)
        extraction = loop.call(
            tekio.extract(wanted, variant=variant, language=language, caller=caller, **what)
        )
    if as_json:
        print_json(extraction.model_dump(mode="json"))
    else:
        print_text(json.dumps(extraction.data, ensure_ascii=False, indent=2))
        print_extraction(extraction)
    if not extraction.valid:
        first = extraction.errors[0]
        say(f"tekio extract: the schema is not met at {first.property or '/'}: {first.message}")
        raise typer.Exit(PART_FAILED)


def _document_or_question(tekio: Tekio, source: str, caller: Caller | None) -> dict[str, str]:
    """Take a source for a document where one has its name, and for a question where it cannot be a name."""
    from kernel.documents.reading import matching

    if matching(source, tekio.documents(caller=caller)) or _looks_like_a_file(source):
        return {"document": source}
    return {"question": source}


def _looks_like_a_file(source: str) -> bool:
    return re.search(r"\.[A-Za-z][A-Za-z0-9]{1,4}$", source.strip()) is not None


def _schema(file: str) -> Any:
    try:
        text = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return json.loads(text.decode("utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not valid JSON: {error}") from error
