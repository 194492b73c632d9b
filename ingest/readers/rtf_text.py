"""The text of an RTF stream: code pages by font, Unicode escapes, and destinations that hold no text."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ingest.readers.rtf_tokens import Kind, Token, tokens

# Destinations whose contents are no text of the document.
_SKIPPED = frozenset(
    "fonttbl colortbl stylesheet listtable listoverridetable revtbl rsidtbl generator pict objdata "
    "objclass themedata colorschememapping datastore latentstyles xmlnstbl mmathPr fldinst header "
    "headerl headerr headerf footer footerl footerr footerf pntext listtext pnseclvl filetbl xe tc "
    "rxe txe bkmkstart bkmkend atnid atnauthor atrfstart atrfend atndate atnref template private "
    "userprops operator revtim printim buptim docvar formfield ftnsep ftnsepc aftnsep aftnsepc falt "
    "panose background nonshppict sp blipuid levelmarker wgrffmtfilter".split()
)
# Marked as dispensable (`\*`), but with text that people see.
_SHOWN = frozenset("shpinst shptxt footnote annotation shppict".split())
_INFO = frozenset({"title", "author", "keywords", "subject", "creatim", "revtim"})
_CHARSETS = {
    0: "cp1252", 77: "mac_roman", 78: "cp932", 128: "cp932", 129: "cp949", 134: "gb18030", 136: "cp950",
    161: "cp1253", 162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257",
    204: "cp1251", 222: "cp874", 238: "cp1250",
}  # fmt: skip
_DOUBLE_BYTE = frozenset({"cp932", "cp949", "gb18030", "cp950"})
_CHARACTERS = {
    "tab": "\t", "emdash": "—", "endash": "–", "lquote": "‘", "rquote": "’", "ldblquote": "“",
    "rdblquote": "”", "bullet": "•", "emspace": " ", "enspace": " ", "qmspace": " ", "line": "\n",
    "lbr": "\n", "softline": "\n",
}  # fmt: skip
_BREAKS = frozenset({"par", "page", "sect", "column", "cell", "row", "nestcell", "nestrow"})
_SURROGATES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


@dataclass(slots=True)
class Piece:
    """Text up to a break (`par`, `cell`, `row`, …; "" at the end), with the paragraph's properties.

    `note` pieces belong to a footnote, which stands apart from the text around it.
    """

    text: str
    end: str
    style: int = 0
    outline: int | None = None
    in_table: bool = False
    listed: bool = False
    note: bool = False


@dataclass(frozen=True, slots=True)
class _Group:
    skipped: bool = False
    unicode_skip: int = 1
    font: int | None = None
    hidden: bool = False
    destination: str = ""
    note: bool = False


@dataclass(slots=True)
class RtfText:
    """Walks through a file once. `info` and `encoding` are known when `pieces` is at its end."""

    data: bytes
    encoding: str = "cp1252"
    info: dict[str, str] = field(default_factory=dict)
    styles: dict[int, str] = field(default_factory=dict)
    _fonts: dict[int, str] = field(default_factory=dict)
    _group: _Group = field(default_factory=_Group)
    _bytes: bytearray = field(default_factory=bytearray)
    _out: list[str] = field(default_factory=list)
    _piece: Piece = field(default_factory=lambda: Piece("", ""))
    _skip: int = 0
    _numbers: dict[str, int] = field(default_factory=dict)

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces of the text in order."""
        groups: list[_Group] = []
        starred = opening = False
        outer: list[tuple[list[str], Piece]] = []
        for token in tokens(self.data):
            if token.kind is Kind.OPEN:
                self._flush()
                groups.append(self._group)
                self._skip = 0
                opening, starred = True, False
                continue
            if token.kind is Kind.CLOSE:
                self._flush()
                closed, self._group = self._group, groups.pop() if groups else _Group()
                self._closed(closed)
                if closed.note and not self._group.note and outer:
                    yield from self._end("")
                    self._out, self._piece = outer.pop()
                opening = False
                continue
            if token.kind is Kind.SYMBOL and token.name == "*" and opening:
                starred = True
                continue
            if opening and token.kind is Kind.WORD:
                self._opened(token, starred=starred)
                if self._group.note and not (groups and groups[-1].note):
                    outer.append((self._out, self._piece))
                    self._out, self._piece = [], Piece("", "", note=True)
            opening = False
            yield from self._token(token)
        self._flush()
        yield from self._end("")

    def _opened(self, token: Token, *, starred: bool) -> None:
        name = token.name
        if name in ("fonttbl", "stylesheet", "info") or self._group.destination in ("fonttbl", "stylesheet"):
            destination = name if name in ("fonttbl", "stylesheet", "info") else self._group.destination
            self._group = replace(self._group, destination=destination, skipped=name not in ("info",))
            if destination == "stylesheet" and name != "stylesheet":
                self._numbers = {"s": token.number or 0} if name == "s" else {}
        elif self._group.destination == "info" or name in ("creatim",):
            self._group = replace(self._group, destination=name, skipped=True)
            self._numbers = {}
        elif name in _SKIPPED or (starred and name not in _SHOWN):
            self._group = replace(self._group, skipped=True, destination=name)
            if name in ("pntext", "listtext"):
                self._piece.listed = True
        elif name in ("footnote", "annotation"):
            self._group = replace(self._group, note=True)

    def _closed(self, group: _Group) -> None:
        name = group.destination
        if name == self._group.destination and name not in ("stylesheet",):
            return
        text = self.info.pop("\x00", "").strip()
        if name == "stylesheet" and self._group.destination == "stylesheet" and text:
            self.styles.setdefault(self._numbers.get("s", 0), text.rstrip(";").strip())
        elif name in ("creatim", "revtim"):
            year, month, day = (self._numbers.get(key, 0) for key in ("yr", "mo", "dy"))
            if 1900 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= 31:
                self.info[name] = f"{year:04}-{month:02}-{day:02}"
        elif name in _INFO and text:
            self.info[name] = text

    def _token(self, token: Token) -> Iterator[Piece]:
        if token.kind is Kind.WORD:
            yield from self._word(token.name, token.number)
        elif token.kind is Kind.SYMBOL:
            if token.name in "\r\n":
                yield from self._word("par", None)
            else:
                self._flush()
                self._say({"~": "\xa0", "_": "-", "-": ""}.get(token.name, ""))
        else:
            raw = token.raw
            if self._skip:
                self._skip, raw = max(0, self._skip - len(raw)), raw[self._skip :]
            self._bytes += raw

    def _word(self, name: str, number: int | None) -> Iterator[Piece]:
        value = 1 if number is None else number
        if name == "u":
            self._flush()
            self._say(chr(value % 0x10000))
            self._skip = self._group.unicode_skip
            return
        self._flush()
        self._skip = 0
        if name == "uc":
            self._group = replace(self._group, unicode_skip=max(0, min(value, 8)))
        elif name in ("ansicpg", "mac", "pc", "pca"):
            page = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850"}.get(name, f"cp{value}")
            self.encoding = _known(
                {"cp10000": "mac_roman", "cp65001": "utf-8"}.get(page, page), self.encoding
            )
        elif name == "f":
            self._group = replace(self._group, font=number or 0)
        elif name == "fcharset" and self._group.destination == "fonttbl":
            if value in _CHARSETS:
                self._fonts[self._group.font or 0] = _CHARSETS[value]
        elif name == "plain":
            self._group = replace(self._group, font=None, hidden=False)
        elif name in ("v", "deleted"):
            self._group = replace(self._group, hidden=number != 0)
        elif self._group.skipped:
            if name in ("yr", "mo", "dy", "s"):
                self._numbers[name] = value
        elif name == "pard":
            self._piece = Piece("", "", note=self._group.note, listed=self._piece.listed and bool(self._out))
        elif name == "s":
            self._piece.style = value
        elif name == "outlinelevel":
            self._piece.outline = value
        elif name == "intbl":
            self._piece.in_table = True
        elif name == "ls":
            self._piece.listed = True
        elif name in _CHARACTERS:
            self._say(_CHARACTERS[name])
        elif name in _BREAKS:
            yield from self._end(name)

    def _end(self, name: str) -> Iterator[Piece]:
        text = _SURROGATES.sub(
            lambda match: match.group().encode("utf-16", "surrogatepass").decode("utf-16"), "".join(self._out)
        )
        self._out = []
        yield replace(self._piece, text=text, end=name)
        # The properties of a paragraph hold on until they are taken back; the mark of a list does not.
        self._piece = replace(self._piece, listed=False)

    def _flush(self) -> None:
        """Decode the bytes gathered so far in the code page of their font."""
        if not self._bytes:
            return
        raw = bytes(self._bytes)
        self._bytes.clear()
        font = self._fonts.get(self._group.font) if self._group.font is not None else None
        encoding = self.encoding
        # A Western font in a Japanese document says nothing: text is marked with fonts for both scripts.
        if font is not None and not (font == "cp1252" and encoding in _DOUBLE_BYTE):
            encoding = font
        self._say(raw.decode(encoding, "replace"))

    def _say(self, text: str) -> None:
        if self._group.hidden or not text:
            return
        if not self._group.skipped:
            self._out.append(text)
        elif self._group.destination in _INFO or self._group.destination == "stylesheet":
            self.info["\x00"] = self.info.get("\x00", "") + text


def _known(name: str, otherwise: str) -> str:
    try:
        codecs.lookup(name)
        # Codecs from bytes to bytes have names too.
        b"a".decode(name)
    except (LookupError, UnicodeError):
        return otherwise
    return name
