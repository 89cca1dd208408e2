"""HTML built so that nothing unescaped slips in: text is escaped unless it is `Markup` already."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape

_EMPTY = frozenset({"img", "input", "meta", "path", "line", "rect"})
"""Elements that have no content, and so no end tag."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def joined(parts: Iterable[str | None], between: str = "") -> Markup:
    """Pieces in a row, plain text escaped, None left out.

    >>> joined(["R < 2 Ω", None, Markup("<br>")])
    'R &lt; 2 Ω<br>'
    """
    return Markup(between.join(part if isinstance(part, Markup) else escape(str(part)) for part in parts if part))


def element(name: str, attributes: Mapping[str, object] | None = None, *content: str | None) -> Markup:
    """One element with its attributes and content; an attribute that is None is left out, one that is "" has no value.

    >>> element("p", {"class": "note", "hidden": ""}, "R <b>")
    '<p class="note" hidden>R &lt;b&gt;</p>'
    """
    words = "".join(_attribute(key, value) for key, value in (attributes or {}).items() if value is not None)
    if name in _EMPTY:
        return Markup(f"<{name}{words}/>")
    return Markup(f"<{name}{words}>{joined(content)}</{name}>")


def _attribute(name: str, value: object) -> str:
    return f" {name}" if value == "" and name != "alt" else f' {name}="{escape(str(value))}"'


def data_uri(content: bytes, kind: str) -> str:
    """Bytes as an address that needs no network.

    >>> data_uri(b"<svg/>", "image/svg+xml")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def svg_width(svg: str) -> float:
    """How many pixels wide an SVG means to be; 0 where it does not say.

    >>> svg_width('<svg xmlns="…" width="75pt" height="9pt">'), svg_width("<svg>")
    (100.0, 0.0)
    """
    found = re.search(r'<svg\b[^>]*?\swidth="([0-9.]+)(pt|px|)"', svg)
    return float(found[1]) * (4 / 3 if found[2] == "pt" else 1.0) if found else 0.0


def table(head: Sequence[str], rows: Iterable[Iterable[str]], kind: str | None = None) -> Markup:
    """A table whose first column names its rows; `kind` is its class.

    >>> table(["component", "value"], [["R", "2 Ω"]]).count("<th scope")
    3
    """
    top = element("tr", None, *(element("th", {"scope": "col"}, cell) for cell in head))
    body = []
    for name, *cells in rows:
        named = element("th", {"scope": "row"}, name)
        body.append(element("tr", None, named, *(element("td", None, cell) for cell in cells)))
    named_columns = element("thead", None, top) if head else None
    return element("table", {"class": kind}, named_columns, element("tbody", None, *body))


def listing(sentences: Iterable[str]) -> Markup:
    """Sentences as a list, nothing for none."""
    items = [element("li", None, sentence) for sentence in sentences]
    return element("ul", None, *items) if items else Markup()
