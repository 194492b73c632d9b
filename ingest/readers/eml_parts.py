"""The parts of an e-mail: which are its text, which are files sent along."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.header import decode_header
from email.message import Message

from ingest.decode import decode_text

_DEEPEST = 20
_MOST_ATTACHMENTS = 200
_ENDINGS = {
    "text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/markdown": ".md",
    "application/pdf": ".pdf", "message/rfc822": ".eml", "application/rtf": ".rtf", "text/rtf": ".rtf",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Part:
    """A part: its type, its bytes with the transfer encoding undone, the charset it declares, its name."""

    kind: str
    data: bytes
    charset: str | None
    name: str


@dataclass(slots=True)
class Letter:
    """`bodies` are the parts of the text in order, each with its alternatives.

    `unread` are the names of attachments beyond the bounds.
    """

    bodies: list[list[Part]] = field(default_factory=list)
    attachments: list[Part] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    encrypted: bool = False


def letter_parts(message: Message) -> Letter:
    """Sort the parts of a message. Pictures that the text shows are left out: they are no files to read."""
    letter = Letter()
    _visit(message, letter, None, 0, inside_related=False)
    return letter


def _visit(
    message: Message, letter: Letter, alternatives: list[Part] | None, depth: int, *, inside_related: bool
) -> None:
    kind = message.get_content_type()
    if kind in ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime"):
        letter.encrypted = True
        return
    if kind.startswith("multipart/") and message.is_multipart():
        if depth > _DEEPEST:
            letter.unread.append(kind)
            return
        if kind == "multipart/alternative" and alternatives is None:
            alternatives = []
            letter.bodies.append(alternatives)
        related = inside_related or kind == "multipart/related"
        for part in _children(message):
            _visit(part, letter, alternatives, depth + 1, inside_related=related)
        return
    name = part_name(message)
    attached = message.get_content_disposition() == "attachment" or bool(name)
    if kind in ("text/plain", "text/html") and not attached:
        text = Part(kind, _payload(message), _charset(message), "")
        if alternatives is None:
            letter.bodies.append([text])
        else:
            alternatives.append(text)
    elif _is_furniture(message, kind, inside_related=inside_related):
        return
    elif len(letter.attachments) >= _MOST_ATTACHMENTS:
        letter.unread.append(name or kind)
    else:
        shown = name or "unnamed" + _ENDINGS.get(kind, "." + kind.rpartition("/")[2])
        letter.attachments.append(Part(kind, _payload(message), _charset(message), shown))


def _children(message: Message) -> list[Message]:
    payload = message.get_payload()
    return [part for part in payload if isinstance(part, Message)] if isinstance(payload, list) else []


def _is_furniture(message: Message, kind: str, *, inside_related: bool) -> bool:
    """Tell whether a part belongs to the look of the letter or to its delivery."""
    if kind in ("text/calendar", "text/x-amp-html", "application/pgp-signature", "message/delivery-status"):
        return message.get_content_disposition() != "attachment"
    if kind.endswith(("pkcs7-signature", "pgp-signature")):
        return True
    shown_inside = inside_related or message.get_content_disposition() == "inline" or "Content-ID" in message
    return kind.startswith("image/") and shown_inside and message.get_content_disposition() != "attachment"


def part_name(message: Message) -> str:
    """Return the file name of a part, however it is encoded; "" when it has none."""
    name = message.get_filename() or ""
    if "=?" in name:  # not as the standard wants it, but as many programs write it
        try:
            name = "".join(
                piece if isinstance(piece, str) else decode_text(piece, charset).text
                for piece, charset in decode_header(name)
            )
        except (ValueError, LookupError):
            return name
    if any("\udc80" <= char <= "\udcff" for char in name):
        name = decode_text(name.encode("utf-8", "surrogateescape")).text
    return name


def _charset(message: Message) -> str | None:
    charset = message.get_content_charset()
    return None if charset in (None, "unknown-8bit") else charset


def _payload(message: Message) -> bytes:
    if message.get_content_type() == "message/rfc822" and message.is_multipart():
        inner = message.get_payload(0)
        return inner.as_bytes() if isinstance(inner, Message) else b""
    payload = message.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""
