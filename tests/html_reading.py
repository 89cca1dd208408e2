"""A page read back: its elements, its tables and its images, with a check that every element was closed."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

from PIL import Image

VOID = {"img", "input", "meta", "br", "hr", "link"}


class Reading(HTMLParser):
    """What a page consists of.

    `elements` are (name, attributes) in the order of the page; `tables` are lists of rows of cell texts; `open` is
    what was never closed and `stray` what was closed without being open; `raw` is the content of scripts and styles.
    """

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.tables: list[list[list[str]]] = []
        self.open: list[str] = []
        self.stray: list[str] = []
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.words: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.stray.append(tag)

    def handle_data(self, data):
        inside = self.open[-1] if self.open else ""
        if inside in self.raw:
            self.raw[inside].append(data)
            return
        self.words.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.elements}

    def named(self, name: str) -> list[dict[str, str]]:
        return [attributes for found, attributes in self.elements if found == name]

    def table(self, first: str) -> list[list[str]]:
        """The table whose first column is headed so."""
        return next(rows for rows in self.tables if rows and rows[0][0] == first)


def vectors(page: str) -> list[str]:
    """Every SVG that a page carries as an image."""
    found = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    return [base64.b64decode(content).decode() for content in found]


def rasters(page: str) -> list[Image.Image]:
    """Every other picture in an image of a page."""
    found = re.findall(r"data:image/(?:webp|png);base64,([A-Za-z0-9+/=]+)", page)
    return [decoded(content) for content in found]


def decoded(content: str) -> Image.Image:
    image = Image.open(io.BytesIO(base64.b64decode(content)))
    image.load()
    return image


def addresses(page: str) -> set[str]:
    """Every address on some network that a page mentions, in its SVG images too."""
    texts = [page, *vectors(page)]
    return {
        address
        for text in texts
        for address in re.findall(r"(?:https?:)?//[a-z0-9][\w.-]*\.[a-z]{2,}[^\"'\s)<]*", text)
    }
