"""What all tests of netlists share: a peer that is missing is said aloud."""

from __future__ import annotations

import pytest

from netlist.oracles import ngspice


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [r for r in terminalreporter.stats.get("skipped", []) if ngspice.NOT_RUN in str(r.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{ngspice.NOT_RUN}: {len(skipped)} tests", red=True)
