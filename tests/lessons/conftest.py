"""Runs the lessons two at a time, and prints at the end how long each took."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import torch

from lessons.execution import Verdict, run
from lessons.layout import EXAMPLES, files

TIMES: dict[str, Verdict] = {}


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def files_before() -> set[tuple[str, int, int]]:
    """What lay beside the lessons before the first of them ran."""
    return files()


@pytest.fixture(scope="session")
def verdicts(request: pytest.FixtureRequest, files_before) -> Iterator[dict[str, Future[Verdict]]]:
    """The running lessons by name: those that the tests of this session ask for, and no other."""
    parameters = [item.callspec.params for item in request.session.items if hasattr(item, "callspec")]
    wanted = sorted({p["lesson"] for p in parameters if "lesson" in p and (EXAMPLES / p["lesson"]).exists()})
    with ThreadPoolExecutor(max_workers=2) as pool:
        yield {lesson: pool.submit(_timed, lesson) for lesson in wanted}


def _timed(lesson: str) -> Verdict:
    TIMES[lesson] = run(EXAMPLES / lesson, EXAMPLES)
    return TIMES[lesson]


def pytest_terminal_summary(terminalreporter) -> None:
    if not TIMES:
        return
    terminalreporter.section("lessons, two side by side: seconds each, and of the processor")
    for lesson, verdict in sorted(TIMES.items()):
        terminalreporter.write_line(f"{lesson:42} {verdict.seconds:6.1f} {verdict.processor:6.1f}")
