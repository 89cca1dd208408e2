"""The benchmarks: what runs by default, what is long, and the smoke sizes of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Benchmark:
    """A script beside `run.py` with its arguments; `minutes` on two cores, roughly."""

    name: str
    says: str
    quick: tuple[str, ...] = ("--quick",)
    full: tuple[str, ...] = ()
    minutes: float = 1.0
    default: bool = True

    @property
    def script(self) -> str:
        """The file's name."""
        return f"{self.name}.py"


BENCHMARKS = (
    Benchmark("many_organs", "100,000 color organs at once", minutes=4),
    Benchmark(
        "one_board", "one board, without compiling and warm", ("--quick", "--rounds", "1", "--repeats", "1"), (), 1
    ),
    Benchmark("classroom", "the classroom's loop against a fit", minutes=1.5),
    Benchmark("starts", "a hundred starts against one", minutes=0.5),
    Benchmark("fit_many", "thousands of files, killed and resumed", minutes=3),
    Benchmark("alike", "reading files that look alike", minutes=0.2),
    Benchmark("distributed", "two processes against one", minutes=1),
    Benchmark("gpu", "the same on a GPU, where there is one", minutes=0.5),
    Benchmark("yields", "Monte Carlo yield of 100,000 boards", minutes=2),
    Benchmark("start_up", "import, help and the first fit", minutes=1),
    Benchmark("netlists", "netlists against ngspice and KLU", minutes=2),
    Benchmark("lc_filter", "loss and gradient of an LC filter against JAX", minutes=1),
    Benchmark("impedance_fits", "impedance spectra against impedance.py", (), (), 0.2),
    Benchmark("pictures", "what the pictures of a fit cost", minutes=1),
    Benchmark(
        "slider",
        "from a slider's move to its picture",
        ("--no-browser", "--quick"),
        ("--no-browser",),
        1,
        default=False,
    ),
    Benchmark("snapping", "real parts against trying every set", minutes=6, default=False),
    Benchmark(
        "diagnosis", "faults found on a thousand boards", ("--boards", "4", "--healthy", "1"), (), 15, default=False
    ),
    Benchmark(
        "led_session", "tones asked against a fixed grid", ("--boards", "1", "--most", "4"), (), 20, default=False
    ),
    Benchmark("parser_fuzz", "two fuzzers against the parser", ("--count", "50"), (), 8, default=False),
)
BY_NAME = {one.name: one for one in BENCHMARKS}
