"""`write_report`: a fit as one page that opens in any browser, with nothing installed and no network."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from circuits.errors import OptionError
from circuits.files import replace_file
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.views.page import account
from circuits.views.page.markup import Markup, element, joined
from circuits.views.page.one_board import alone
from circuits.views.page.player import script
from circuits.views.page.sections import Section, Subject, parts_of

ENDINGS = (".html", ".htm")


def write_report(
    fit: Fit | SavedFit, path: str | os.PathLike[str], *, board: int = 0, notes: Sequence[tuple[str, str]] = ()
) -> None:
    r"""Write everything about a fit into one HTML file: tables, pictures, and the replay under a slider.

    The page carries its pictures inside and forbids itself any network. The same fit gives the same bytes. What
    cannot be drawn (no Graphviz, no history, a saved fit without its data) is a sentence in its place.

    Args:
        fit: the result of a fit, or one read back from a file.
        path: where to write, ending in .html or .htm; a file that is there is replaced in one step.
        board: which board of a batch, counted in rows.
        notes: whatever else belongs on the page, such as a swap list: headings and texts, after the result.

    Raises:
        OptionError: no fit, another ending, or no such board.
        DataError: a place that cannot be written.

    >>> import circuits as cc, tempfile
    >>> found = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), [80.0, 800.0, 8000.0]), history=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(found, f"{folder}/report.html")
    ...     Path(f"{folder}/report.html").read_text("utf-8")[:32]
    '<!DOCTYPE html>\n<html lang="en">'
    """
    if not isinstance(fit, (Fit, SavedFit)):
        raise OptionError(f"cannot report on a {type(fit).__name__}; expected the result of a fit")
    if Path(path).suffix.lower() not in ENDINGS:
        raise OptionError(f"cannot write a report to {str(path)!r}; its name must end in {' or '.join(ENDINGS)}")
    subject = Subject(fit, board, alone(fit, board), tuple(notes))
    replace_file(path, page(subject))


def page(subject: Subject) -> str:
    """The whole page as text."""
    name = subject.fit.model_name
    title = f"{name}, board {subject.board} of {subject.fit.batch_shape.numel()}" if subject.fit.batch_shape else name
    parts = list(parts_of(subject))
    body = joined([_header(subject, title, parts), _main(parts), _footer()])
    has_replay = any('id="reel"' in part.body for part in parts)
    ending = element("script", None, script()) if has_replay else None
    whole = element("html", {"lang": "en"}, _head(title), element("body", None, body, ending))
    return f"<!DOCTYPE html>\n{whole}\n"


def _head(title: str) -> Markup:
    """Encoding, the policy that forbids any network, title and style."""
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src {_fingerprint(_style())}; script-src {_fingerprint(script())}"
    )
    return element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("title", None, f"{title} – fit"),
        element("style", None, _style()),
    )


def _fingerprint(content: str) -> str:
    """How a policy names the one piece of code that may run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _header(subject: Subject, title: str, parts: Sequence[Section]) -> Markup:
    links = [element("a", {"href": f"#{part.name}"}, part.title) for part in parts]
    doubts = account.doubts(subject.own)
    return element(
        "header",
        None,
        element("h1", None, title),
        element("p", {"class": "how"}, account.how(subject.own)),
        element("p", {"class": "doubt"}, doubts) if doubts else None,
        element("nav", {"aria-label": "Parts of this page"}, *links),
    )


def _main(parts: Sequence[Section]) -> Markup:
    made = [element("section", {"id": p.name}, element("h2", None, p.title), p.body) for p in parts]
    return element("main", None, *made)


def _footer() -> Markup:
    words = "Written by ohmgrad. Everything on this page is in this one file; nothing is fetched from anywhere."
    return element("footer", None, words)


@cache
def _style() -> Markup:
    return Markup(Path(__file__).with_name("report.css").read_text("utf-8"))
