"""Two fuzzers against the parser of netlists: `python benchmarks/parser_fuzz.py --count 100000`.

One writes netlists by the grammar, the other mutates those and the examples. Every input must end in a netlist or in a
typed error with a place; anything else is printed with its seed, and the run exits with 1. Said of each: how many were
refused, the slowest input, and how much the process grew. A hook counts files opened outside the one folder that may be
read.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from reporting import at_most  # noqa: E402

from netlist.language.fuzzing import INCLUDED, attempt, grammar, mutate  # noqa: E402

HANGS = 5.0  # seconds after which an input counts as one that never ends


def grown() -> float:
    """The most memory that the process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(name: str, make: Callable[[Random], str], count: int, first: int, folder: Path, opened: set[str]) -> int:
    """Read `count` inputs; returns how many did what none may do."""
    before, seconds, refused, failures = grown(), [], 0, 0
    slowest = (0.0, "")
    for seed in range(first, first + count):
        text = make(Random(f"{name} {seed}"))
        try:
            outcome = attempt(text, folder)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failures += 1
            print(
                f"{name} {seed}: {type(error).__name__}: {error}", *traceback.format_exc().splitlines()[-3:], sep="\n  "
            )
            continue
        seconds.append(outcome.seconds)
        refused += outcome.message is not None
        slowest = max(slowest, (outcome.seconds, f"seed {seed}"))
    failures += sum(s > HANGS for s in seconds) + len(opened)
    print(
        f"{name}: {count} inputs, {count - refused - failures} read, {refused} refused with file and line, "
        f"{failures} failures; median {statistics.median(seconds) * 1e3:.2f} ms, slowest {slowest[0] * 1e3:.0f} ms "
        f"({slowest[1]}); peak memory {grown():.0f} MB, {grown() - before:.0f} MB more than before; "
        f"{len(opened)} files opened outside the folder"
    )
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--count", type=int, default=100_000, help="inputs for each of the two fuzzers")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    options = parser.parse_args()
    examples = [path.read_text("utf-8") for path in sorted((ROOT / "examples" / "netlists").glob("*.cir"))]
    with tempfile.TemporaryDirectory() as outside:
        folder = Path(outside, "inside").resolve()
        folder.mkdir()
        Path(outside, "secret").write_text("R1 a 0 1\n")
        for name, text in INCLUDED.items():
            (folder / name).write_text(text)
        attempt("t\nX1 a b c OPAMP_IDEAL\n")  # the library is read once, before anybody watches
        opened: set[str] = set()

        def watch(event: str, arguments: tuple) -> None:
            if event == "open" and isinstance(arguments[0], str | os.PathLike):
                path = os.path.realpath(arguments[0])
                if not path.startswith(f"{folder}{os.sep}") and not path.endswith(".py"):
                    opened.add(path)

        sys.addaudithook(watch)
        failures = run("grammar", grammar, options.count, options.first, folder, opened)
        texts = examples + [grammar(Random(f"text {seed}")) for seed in range(200)]
        failures += run("mutation", lambda r: mutate(r, texts), options.count, options.first, folder, opened)
        for path in sorted(opened):
            print(f"opened outside the folder: {path}")
    at_most("inputs that ended in no netlist and no typed error", failures, 0, "")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
