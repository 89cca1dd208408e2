"""What all tests share: a peer, a compiler or a device that is missing is said aloud, whoever of the workers met it."""

from __future__ import annotations

from collections import Counter

import pytest

MARK = "NOT RUN: "


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    counted = Counter(text[text.index(MARK) :].splitlines()[0].rstrip("')") for text in reasons if MARK in text)
    for reason, count in counted.items():
        terminalreporter.write_line(f"{reason}: {count} tests", red=True)
