"""E-mail: the subject as heading, who wrote it to whom and when, the body, and the attachments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime

from ingest.blocks import NO_OPTIONS, Block, BlockKind, Outcome, ReadError, ReadOptions, ReadResult
from ingest.decode import decode_text
from ingest.readers.attachments import attachment_blocks, attachment_name
from ingest.readers.bodies import body_blocks
from ingest.readers.damage import damaged
from ingest.readers.eml_parts import Part, letter_parts

_SHOWN = ("From", "To", "Cc", "Date")


def read(data: bytes, options: ReadOptions = NO_OPTIONS) -> ReadResult:
    """Read an e-mail (.eml). Attachments are read as far as `options.attachment_depth` allows.

    Raises:
        ReadError: ENCRYPTED for an encrypted letter, FAILED for a damaged file, EMPTY for one without
            text.
    """
    from email import message_from_bytes

    with damaged("e-mail"):
        # The old policy: it keeps what it cannot parse, where the new one raises.
        message = message_from_bytes(data.lstrip(b"\r\n"))
        parts = letter_parts(message)
        result = ReadResult([], "eml")
        _headers(message, result)
        body, result.encoding = _body(parts.bodies, options)
        for part in parts.attachments:
            blocks, warnings = attachment_blocks(part.name, part.data, options)
            body += blocks
            result.warnings += warnings
        result.warnings += [f"attachment {attachment_name(name)} was not read" for name in parts.unread]
    if parts.encrypted and not body:
        raise ReadError(Outcome.ENCRYPTED, "an encrypted e-mail: save it decrypted and ingest it again")
    if not body and not result.title:
        raise ReadError(Outcome.EMPTY, "no text in the e-mail")
    result.blocks += body
    return result


def header_text(message: Message, name: str) -> str:
    """Return a header as one line, encoded words decoded; also raw bytes, in whatever encoding they are."""
    value = message.get(name)
    if value is None:
        return ""
    pieces: list[str] = []
    for piece, charset in decode_header(value):
        if isinstance(piece, str):
            piece = piece.encode("ascii", "surrogateescape")
        pieces.append(decode_text(piece, None if charset in (None, "unknown-8bit") else charset).text)
    return " ".join("".join(pieces).split())


def _headers(message: Message, result: ReadResult) -> None:
    result.title = header_text(message, "Subject") or None
    if result.title:
        result.blocks.append(Block(result.title, BlockKind.HEADING, level=1))
    lines = [f"{name}: {text}" for name in _SHOWN if (text := header_text(message, name))]
    if lines:
        result.blocks.append(Block("\n".join(lines)))
    senders = getaddresses([header_text(message, "From")])
    result.authors = tuple(
        dict.fromkeys(name.strip() or address for name, address in senders if name or address)
    )
    try:
        result.created = parsedate_to_datetime(header_text(message, "Date")).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        result.created = None


def _body(bodies: list[list[Part]], options: ReadOptions) -> tuple[list[Block], str | None]:
    """Return the blocks of the text: of each part the best alternative that says anything."""
    blocks: list[Block] = []
    encoding: str | None = None
    for alternatives in bodies:
        # Plain text first: programs make it from the same words, without the furniture.
        for part in sorted(alternatives, key=lambda part: part.kind != "text/plain"):
            found, used = _part_blocks(part, options)
            if found:
                blocks += found
                encoding = encoding or used
                break
    return blocks, encoding


def _part_blocks(part: Part, options: ReadOptions) -> tuple[list[Block], str]:
    decoded = decode_text(part.data, part.charset)
    if part.kind == "text/plain":
        # Two dashes set off the signature, and a line of them is a rule, not the underline of a heading.
        return body_blocks(re.sub(r"^-- ?$", "", decoded.text, flags=re.MULTILINE), 1), decoded.encoding
    from ingest.readers.html import read as read_html

    try:
        page = read_html(decoded.text.encode("utf-8", "replace"), options)
    except ReadError:
        return [], decoded.encoding
    return list(_below_subject(page.blocks)), decoded.encoding


def _below_subject(blocks: list[Block]) -> Iterator[Block]:
    for block in blocks:
        level = min(6, block.level + 1) if block.kind is BlockKind.HEADING else block.level
        yield Block(block.text, block.kind, level)
