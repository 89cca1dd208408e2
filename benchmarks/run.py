"""Every benchmark by one command: `python benchmarks/run.py`; the results are `benchmarks/RESULTS.md` and `.png`.

    python benchmarks/run.py                    the default set, about a quarter of an hour on two cores
    python benchmarks/run.py --all              the long ones too
    python benchmarks/run.py --only one_board   one of them, or several; the others' results stay
    python benchmarks/run.py --save-baseline    keep the ratios as what later runs are held against
    python benchmarks/run.py --compare          exit with 1 if a ratio is worse than the baseline, and say which
    python benchmarks/run.py --compare --stored the same for the results that are there, without running anything
    python benchmarks/run.py --list             what there is
    python benchmarks/run.py --quick            smoke sizes, which measure nothing and are not kept

A benchmark is a script of its own and runs in a process of its own, in which it and its peers take turns; threads are
fixed to one unless it says otherwise. Peers that are not installed are named and left out: `pip install -c
constraints.txt -e ".[bench]"` brings those of Python.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from reporting import FILE
from suite.baseline import SHARE, fallen, read_baseline, save_baseline, silent
from suite.machine import commit, describe
from suite.page import page
from suite.plot import plot
from suite.results import Record, figures_of, load, save, write_text
from suite.table import BENCHMARKS, BY_NAME, Benchmark

HERE = Path(__file__).parent
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run_one(benchmark: Benchmark, quick: bool) -> Record:
    """Run it, its words on our output, and collect its figures."""
    command = [sys.executable, str(HERE / benchmark.script), *(benchmark.quick if quick else benchmark.full)]
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        said = Path(folder) / "figures.jsonl"
        paths = [str(HERE.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, **dict.fromkeys(THREADS, "1"), FILE: str(said)}
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        code = subprocess.run(command, env=environment, check=False).returncode
        figures, absent = figures_of(said)
    ended = "well" if code == 0 else f"exit status {code}"
    took = time.perf_counter() - began
    return Record(benchmark.name, stamp, commit(), took, ended, quick=quick, figures=figures, absent=absent)


def chosen(given: argparse.Namespace) -> list[Benchmark]:
    """The benchmarks that were asked for and are there; the others are named."""
    unknown = sorted(set(given.only) - set(BY_NAME))
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    wanted = [BY_NAME[name] for name in given.only] or [one for one in BENCHMARKS if given.all or one.default]
    for one in wanted:
        if not (HERE / one.script).exists():
            print(f"left out: {one.name} (there is no {one.script})")
    return [one for one in wanted if (HERE / one.script).exists()]


def run_all(benchmarks: list[Benchmark], quick: bool, folder: Path | None) -> dict[str, Record]:
    """Run them in turn; each is kept as soon as it has ended, so that an interrupt loses only the one at hand."""
    records, machine = {}, describe()
    for place, one in enumerate(benchmarks, 1):
        print(f"\n=== {place}/{len(benchmarks)} {one.name}: {one.says}", flush=True)
        records[one.name] = run_one(one, quick)
        print(f"=== {one.name}: {records[one.name].seconds:.0f} s, ended {records[one.name].ended}", flush=True)
        if folder:
            keep(folder, machine, records[one.name])
    return records


def keep(folder: Path, machine: dict[str, str], fresh: Record) -> None:
    """Write results, page and plot; earlier records of the same machine stay beside the fresh one."""
    before, records = load(folder / "results.json")
    if records and before.get("processor") != machine["processor"]:
        print(f"earlier results were measured on {before.get('processor')} and are dropped")
        records = {}
    records = {name: one for name, one in records.items() if name in BY_NAME} | {fresh.name: fresh}
    save(folder / "results.json", machine, records)
    write_text(folder / "RESULTS.md", page(machine, records))
    plot(folder / "results.png", records)


def summary(records: dict[str, Record]) -> bool:
    """Print what is not met, and return whether everything ended well."""
    every = [(name, one) for name, record in records.items() for one in record.figures if one.met is not None]
    missed = [(name, one) for name, one in every if not one.met]
    print(f"\n{len(every) - len(missed)} of {len(every)} figures met")
    for name, one in missed:
        print(f"  {name} {one}")
    broken = [record for record in records.values() if record.ended != "well"]
    for record in broken:
        print(f"  {record.name}: {record.ended}")
    return not broken


def compare(path: Path, records: dict[str, Record], share: float) -> bool:
    """Say what is worse than the baseline; returns whether nothing is."""
    kept = read_baseline(path)
    if not kept:
        raise SystemExit(f"no baseline {path}; make one by --save-baseline")
    worse = fallen(kept, records, share)
    for sentence in silent(kept, records):
        print(f"not measured this time: {sentence}")
    for sentence in worse:
        print(f"WORSE {sentence}")
    print(f"{len(worse)} figures are worse than the baseline by more than {share:.0%}, or no longer met")
    return not worse


def parse() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="run this one; may be repeated")
    parser.add_argument("--all", action="store_true", help="run the long ones too")
    parser.add_argument("--quick", action="store_true", help="smoke sizes; nothing is kept but by --into")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--compare", action="store_true", help="hold the ratios against the baseline")
    parser.add_argument("--stored", action="store_true", help="take the results that are there; run nothing")
    parser.add_argument(
        "--share", type=float, default=SHARE, help="how much worse a ratio may be (default %(default)s)"
    )
    parser.add_argument("--save-baseline", action="store_true", help="keep these ratios as the baseline")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where results and baseline lie (default: here)")
    given = parser.parse_args()
    if not 0 < given.share < 1:
        parser.error(f"--share {given.share:g}: expected a share between 0 and 1")
    if given.quick and (given.compare or given.save_baseline):
        parser.error("--quick measures nothing that could be compared or kept")
    return given


def main() -> int:
    """Run, keep, compare; an interrupt loses only the benchmark at hand."""
    given = parse()
    try:
        return act(given)
    except KeyboardInterrupt:
        print("\ninterrupted; what had ended before is kept")
        return 130


def act(given: argparse.Namespace) -> int:
    """Do what was asked for."""
    folder = given.into or HERE
    if given.list:
        for one in BENCHMARKS:
            print(f"{one.name:15s} {one.minutes:5.1f} min  {'' if one.default else '--all  '}{one.says}")
        return 0
    if given.stored:
        _, records = load(folder / "results.json")
        records = {name: one for name, one in records.items() if not given.only or name in given.only}
        good = True
    else:
        kept = folder if given.into or not given.quick else None
        records = run_all(chosen(given), given.quick, kept)
        good = summary(records)
        if kept:
            print(f"written: {kept / 'RESULTS.md'}, results.json, results.png")
    baseline = folder / "baseline.json"
    if given.compare:
        good = compare(baseline, records, given.share) and good
    if given.save_baseline:
        save_baseline(baseline, describe(), records)
        print(f"written: {baseline}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
