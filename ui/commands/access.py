"""`access`: who may read documents that are in the index."""

from __future__ import annotations

from typing import Annotated

import typer

from ui.console import print_json, say
from ui.opening import opened
from ui.options import IndexOption, JsonFlag, OwnerOption, ShareOption, chosen_access, shown_readers

NamesArgument = Annotated[
    list[str],
    typer.Argument(help="Names of documents, as `tekio documents` lists them; * and ? stand for anything."),
]


def access(
    documents: NamesArgument,
    owner: OwnerOption = None,
    share: ShareOption = None,
    as_json: JsonFlag = False,
    index: IndexOption = None,
) -> None:
    """Set who finds documents: their owner, users, groups, or everyone."""
    given = chosen_access(owner, share, required=True)
    assert given is not None
    with opened(index) as tekio:
        count = tekio.share(documents, given)
    if as_json:
        print_json({"documents": count, "owner": given.owner, "readers": list(given.readers)})
        return
    say(f"{count} document{'s' * (count != 1)} can be read by {shown_readers(given)}")
