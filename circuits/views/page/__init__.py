"""Pages: what a notebook shows of a fit or a circuit, and a report that opens in any browser without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from circuits.views.page.cards import circuit_html, fit_html, measurements_html

if TYPE_CHECKING:
    from circuits.views.page.report_page import write_report

__all__ = ["circuit_html", "fit_html", "measurements_html", "write_report"]


def __getattr__(name: str) -> Any:
    """Load what a report needs when one is first written (PEP 562): a card needs no replay."""
    if name != "write_report":
        raise AttributeError(f"module 'circuits.views.page' has no attribute {name!r}; it has {', '.join(__all__)}")
    from circuits.views.page.report_page import write_report

    return write_report
