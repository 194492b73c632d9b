"""Files inside a file (of an e-mail, of a PDF): read like any other, under a heading that names them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath, PurePosixPath

from ingest.blocks import Block, BlockKind, ReadError, ReadOptions

HEADING_LEVEL = 2


def attachment_blocks(name: str, data: bytes, options: ReadOptions) -> tuple[list[Block], list[str]]:
    """Read an attached file.

    Args:
        name: its name as the outer file gives it; only the last part of a path is used.
        data: its bytes.
        options: those of the outer file; attachments of the attachment are read one level less deep.

    Returns:
        A heading that names the file and its blocks, without pages (those of the outer file count), and
        what to warn of. No block when the file was not read; then a warning names it. Never raises for
        what is in the file.
    """
    from ingest.readers import read_file

    shown = attachment_name(name)
    if options.attachment_depth < 1:
        return [], [f"attachment {shown} was not read: it lies too deep"]
    deeper = replace(options, attachment_depth=options.attachment_depth - 1)
    try:
        result = read_file(PurePath(shown), data, deeper)
    except ReadError as error:
        return [], [f"attachment {shown} was not read: {error}"]
    except RecursionError:
        return [], [f"attachment {shown} was not read: it is nested too deeply"]
    except MemoryError:
        raise
    except Exception as error:  # a fault in an attachment must not cost the letter around it
        return [], [f"attachment {shown} was not read: {type(error).__name__}"]
    heading = Block(f"Attachment: {shown}", BlockKind.HEADING, level=HEADING_LEVEL)
    blocks = [replace(_below(block), page=None, continues=False) for block in result.blocks]
    warnings = [f"attachment {shown}: {warning}" for warning in result.warnings]
    if result.empty_pages:
        pages = ", ".join(str(page) for page in result.empty_pages[:10])
        more = f" and {len(result.empty_pages) - 10} more" if len(result.empty_pages) > 10 else ""
        warnings.append(f"attachment {shown}: no text on page {pages}{more}")
    return [heading, *blocks], warnings


def attachment_name(name: str) -> str:
    """Return the name of an attachment on one line, without folders, short enough for a message."""
    last = PurePosixPath(name.replace("\\", "/")).name
    shown = " ".join("".join(char if char.isprintable() else " " for char in last).split())
    if len(shown) > 120:
        ending = PurePosixPath(shown).suffix[:16]
        shown = shown[: 120 - len(ending)] + ending
    return shown or "without a name"


def _below(block: Block) -> Block:
    """Put a heading of the attached file below the one that names the file."""
    if block.kind is not BlockKind.HEADING:
        return block
    return replace(block, level=min(6, block.level + HEADING_LEVEL))
