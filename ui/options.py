"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
IndexOption = Annotated[
    Path | None,
    typer.Option(
        "--index", metavar="DIR", help="Folder of the index; .tekio/index unless set.", show_default=False
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="FILTER",
        help="Only passages for which it holds: language=ja, modified>=2024, document~hr/*, tag.ward=icu; repeat it.",
        show_default=False,
    ),
]
TopKOption = Annotated[
    int | None, typer.Option("--top-k", min=1, max=100, help="Passages to retrieve.", show_default=False)
]
