"""XML of untrusted files: no entity is expanded, nothing outside of the file is fetched."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def parse_xml(data: bytes) -> Any:
    """Return the root element of an XML document.

    References to entities of the document's own stay unexpanded, and so unread: office programs write
    none, and they can stand for any amount of text.

    Raises:
        lxml.etree.XMLSyntaxError: it is no XML.
    """
    from lxml import etree

    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    return etree.fromstring(data, parser)


def stream_xml(source: IO[bytes], names: tuple[str, ...]) -> Iterator[Any]:
    """Yield the elements with one of these local names, when they are complete, in document order.

    The caller clears what it has used (`element.clear()`). No entity is expanded.

    Raises:
        lxml.etree.XMLSyntaxError: it is no XML.
    """
    from lxml import etree

    tags = tuple(f"{{*}}{name}" for name in names)
    for _event, element in etree.iterparse(
        source, events=("end",), tag=tags, resolve_entities=False, no_network=True, load_dtd=False
    ):
        yield element


def local_name(element: Any) -> str:
    """Return an element's name without its namespace, "" for comments and the like."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: Any, name: str) -> str | None:
    """Return an attribute by its local name, whatever its namespace."""
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return None


def descendants(element: Any, *names: str) -> Iterator[Any]:
    """Yield an element's descendants with these local names, in document order."""
    return iter(element.iter(*(f"{{*}}{name}" for name in names)))


def child(element: Any, name: str) -> Any:
    """Return an element's first child with a local name, or None."""
    return next((each for each in element if local_name(each) == name), None)
