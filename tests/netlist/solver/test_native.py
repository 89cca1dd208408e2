"""The native kernel against the plainest executor of the same plans, and against what can go wrong."""

from __future__ import annotations

import os
import platform
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from circuits.errors import ShapeError
from circuits.netlist.elements import Netlist
from circuits.netlist.solver import native, program
from netlist.oracles.building import Bench
from netlist.oracles.random_nets import ladder, mixed, rlc
from netlist.solver import reference_executor as reference
from netlist.solver.netlists import NETS
from netlist.solver.plans import Case, complex_normal, make_case

pytestmark = pytest.mark.skipif(not native.available(), reason=f"NOT RUN: {native.why_not()}")

BAND = (1.0, 6.0)
CASES: dict[str, Callable[[], Netlist]] = {
    **NETS,
    "ladder": lambda: ladder(9),
    "random RLC": lambda: rlc(20),
    "denser RLC": lambda: rlc(16, seed=4, degree=5.0),
    "mixed 3": lambda: mixed(3, n=8),
    "mixed 5": lambda: mixed(5, n=12),
}
SIZES = [(1, 1), (1, 37), (3, 7), (2, 48), (1, 300), (21, 1), (40, 3)]
"""Boards and points: blocks half full and full, of one board and of several, tasks one and many."""


def band(points: int, boards: int = 0) -> np.ndarray:
    f = np.logspace(*BAND, points)
    return f if not boards else f * np.linspace(1, 1.3, boards)[:, None]


def distance(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference, relative to the largest number."""
    assert got.shape == wanted.shape
    return float(np.abs(got - wanted).max() / max(np.abs(wanted).max(), 1e-300)) if got.size else 0.0


def check(case: Case, tolerance: float) -> None:
    """All four functions against the reference."""
    f, z, G = case.f, case.z, case.upstream()
    rhs = complex_normal(5, case.shape[0], 2, case.plan.n, case.shape[1])
    for name, more in (
        ("forward", ()),
        ("gradient", (G, True)),
        ("jacobian", ()),
        ("solve", (rhs, False)),
        ("solve", (rhs, True)),
    ):
        calls = [getattr(executor, name)(case.plan, case.q, f, z, *more) for executor in (native, reference)]
        *got, flags = calls[0]
        *wanted, wanted_flags = calls[1]
        assert_array_equal(flags, wanted_flags, err_msg=name)
        for part, values in zip(got, wanted, strict=True):
            assert distance(part, values) < tolerance, name


# numbers


def residual(matrix: np.ndarray, x: np.ndarray, b: np.ndarray) -> float:
    """The largest residual of a row, relative to what is added up in that row."""
    whole = np.abs(matrix) @ np.abs(x) + np.abs(b)
    return float((np.abs(matrix @ x - b) / np.where(whole > 0, whole, 1)).max())


@pytest.mark.parametrize("name", CASES)
def test_the_reference_solves_the_equations(name: str):
    case = make_case(CASES[name](), band(3), 2)
    for _, _, lane in reference.lanes(*case.arguments):
        matrix, b = reference.dense_matrix(case.plan, lane)
        assert residual(matrix, lane.excited()[: case.plan.n], b) < 1e-12
        assert residual(matrix.T, lane.solved(b, True)[: case.plan.n], b) < 1e-12


@pytest.mark.parametrize("boards, points", SIZES)
@pytest.mark.parametrize("name", ["passive", "diffusive", "everything"])
def test_blocks_of_every_shape(name: str, boards: int, points: int):
    check(make_case(CASES[name](), band(points), boards), 1e-12)


@pytest.mark.parametrize("name", CASES)
def test_frequencies_of_their_own_for_every_board(name: str):
    case = make_case(CASES[name](), band(5, 4), 4)
    check(case, 1e-11 if name in ("random RLC", "denser RLC") else 1e-12)


def test_star_mesh_keeps_every_digit():
    for netlist in (ladder(40), rlc(30, seed=2), rlc(16, seed=4, degree=5.0)):
        case = make_case(netlist, band(20))
        assert not case.plan.checked
        wanted, flagged = reference.forward(*case.arguments)
        got, _ = native.forward(*case.arguments)
        assert not flagged.any()
        assert (np.abs(got - wanted) / np.abs(wanted).max(2, keepdims=True)).max() < 1e-13


def test_a_hundred_random_nets():
    differ = 0
    for seed in range(100):
        case = make_case(mixed(seed, n=3 + seed % 9), band(4), 1 + seed % 3)
        (got, flags), (wanted, wanted_flags) = (x.forward(*case.arguments) for x in (native, reference))
        trusted = ~(flags | wanted_flags)
        differ += (flags != wanted_flags).sum()
        assert distance(got.swapaxes(1, 2)[trusted], wanted.swapaxes(1, 2)[trusted]) < 1e-9, seed
    assert differ <= 40  # of 800: what is just on the edge falls to either side


def test_the_torch_executor_agrees():
    torch = pytest.importorskip("torch")
    from circuits.netlist.solver import torch_executor

    for name in NETS:
        case = make_case(CASES[name](), band(11), 3)
        arrays = [torch.from_numpy(a) for a in (case.q, case.f, case.z)]
        G = case.upstream()
        rhs = complex_normal(3, 3, 2, case.plan.n, 11)
        for function, more in (("forward", ()), ("gradient", (G,)), ("jacobian", ()), ("solve", (rhs,))):
            extra = [torch.from_numpy(a) for a in more]
            options = {"gradient": (True,), "solve": (True,)}.get(function, ())
            got = getattr(native, function)(*case.arguments, *more, *options)
            wanted = getattr(torch_executor, function)(case.plan, *arrays, *extra, *options)
            assert_array_equal(got[-1], wanted[-1].numpy())
            for a, b in zip(got[:-1], wanted[:-1], strict=True):
                assert distance(a, b.resolve_conj().numpy()) < 1e-11


# shapes


@pytest.mark.parametrize("transposed", [False, True])
def test_right_hand_sides_broadcast(transposed: bool):
    case = make_case(CASES["everything"](), band(6), 3)
    n = case.plan.n
    for boards, points in ((1, 1), (3, 1), (1, 6), (3, 6)):
        rhs = complex_normal(boards + points, boards, 2, n, points)
        whole = np.ascontiguousarray(np.broadcast_to(rhs, (3, 2, n, 6)))
        got, wanted = (native.solve(*case.arguments, b, transposed)[0] for b in (rhs, whole))
        assert_array_equal(got, wanted)


def test_nothing_to_do():
    netlist = CASES["everything"]()
    for boards, points in ((0, 5), (3, 0), (0, 0)):
        case = make_case(netlist, band(4), 2)
        q = np.zeros((case.plan.n_q, boards))
        f, z = np.zeros(points), np.zeros((case.plan.n_z, boards, points), complex)
        G, rhs = np.zeros((boards, 3, points), complex), np.zeros((1, 2, case.plan.n, 1), complex)
        assert native.forward(case.plan, q, f, z)[0].shape == (boards, 3, points)
        by_q, by_z, by_f, flagged = native.gradient(case.plan, q, f, z, G, True)
        assert by_f is not None
        assert (by_q.shape, by_z.shape, by_f.shape, flagged.shape) == (
            q.shape,
            z.shape,
            (boards, points),
            (boards, points),
        )
        assert not by_q.any()
        assert native.jacobian(case.plan, q, f, z)[1].shape == (boards, case.plan.n_q, 3, points)
        assert native.solve(case.plan, q, f, z, rhs)[0].shape == (boards, 2, case.plan.n, points)


def test_no_outputs_and_no_sources():
    case = make_case(CASES["everything"](), band(20), 2)
    none = replace(case, plan=case.plan.with_outputs([]))
    assert native.forward(*none.arguments)[0].shape == (2, 0, 20)
    assert not native.gradient(*none.arguments, none.upstream(), True)[0].any()
    assert native.jacobian(*none.arguments)[1].shape == (2, case.plan.n_q, 0, 20)
    still = replace(case, plan=case.plan.with_sources(np.zeros(case.plan.rails), {}))
    assert not native.forward(*still.arguments)[0].any()


def test_a_net_whose_nodes_are_all_rails():
    bench = Bench()
    bench.add("V", "1", "in 0", ac=2.0)
    bench.add("R", "1", "in 0", 5.0)
    case = make_case(bench.netlist(), band(5), 2)
    assert case.plan.n == 0
    plan = case.plan.with_sources(np.array([2 - 1j]), {}).with_outputs([{0: 1.0}])
    H, flagged = native.forward(plan, case.q, case.f, case.z)
    assert_array_equal(H, np.full((2, 1, 5), 2 - 1j))
    assert not flagged.any()
    assert not native.gradient(plan, case.q, case.f, case.z, complex_normal(0, 2, 1, 5))[0].any()
    assert native.solve(plan, case.q, case.f, case.z, np.zeros((1, 3, 0, 1), complex))[0].shape == (2, 3, 0, 5)


def test_arrays_of_another_kind_are_refused():
    case = make_case(CASES["everything"](), band(6), 2)
    plan, q, f, z = case.arguments
    G = case.upstream()
    for bad in (q.astype(np.float32), q[:-1], q[:, ::-1], np.asfortranarray(q), q[0]):
        with pytest.raises(ShapeError, match="expected"):
            native.forward(plan, bad, f, z)
    for call in (
        lambda: native.forward(plan, q, f.reshape(1, -1), z),
        lambda: native.forward(plan, q, f, z[:, :1]),
        lambda: native.forward(plan, q, f, np.real(z).copy()),
        lambda: native.gradient(plan, q, f, z, G[:, :1]),
        lambda: native.gradient(plan, q, f, z, G.swapaxes(0, 1)),
        lambda: native.solve(plan, q, f, z, complex_normal(0, 3, 1, plan.n, 1)),
        lambda: native.solve(plan, q, f, z, complex_normal(0, 1, 1, plan.n + 1, 1)),
        lambda: native.solve(plan, q, f, z, complex_normal(0, 1, plan.n, 1)),
    ):
        with pytest.raises(ShapeError, match="expected"):
            call()


def test_arrays_that_may_not_be_written_are_read():
    case = make_case(CASES["passive"](), band(6), 2)
    wanted = native.forward(*case.arguments)[0]
    for array in (case.q, case.f):
        array.setflags(write=False)
    assert_array_equal(native.forward(*case.arguments)[0], wanted)


# threads


@pytest.mark.parametrize("boards, points", [(1, 1000), (3, 400), (700, 1), (90, 5), (33, 130)])
@pytest.mark.parametrize("name", ["passive", "everything"])
def test_threads_change_no_bit(name: str, boards: int, points: int, monkeypatch: pytest.MonkeyPatch):
    case = make_case(CASES[name](), band(points), boards)
    G, rhs = case.upstream(), complex_normal(2, 1, 2, case.plan.n, 1)
    calls = [
        lambda n: native.forward(*case.arguments, threads=n),
        lambda n: native.gradient(*case.arguments, G, True, threads=n),
        lambda n: native.jacobian(*case.arguments, threads=n),
        lambda n: native.solve(*case.arguments, rhs, True, threads=n),
    ]
    monkeypatch.setattr(native, "_WORTH_A_THREAD", 1.0)
    wanted = [call(1) for call in calls]
    for threads in (2, 3, 16):
        for call, known in zip(calls, wanted, strict=True):
            for a, b in zip(call(threads), known, strict=True):
                assert_array_equal(a, b)


def test_slices_change_no_bit(monkeypatch: pytest.MonkeyPatch):
    case = make_case(CASES["everything"](), band(900), 2)
    wanted = native.gradient(*case.arguments, case.upstream(), True)
    monkeypatch.setattr(native, "_UNINTERRUPTED", 1e5)
    for threads in (1, 2):
        for a, b in zip(native.gradient(*case.arguments, case.upstream(), True, threads=threads), wanted, strict=True):
            assert_array_equal(a, b)


def test_python_comes_to_a_word_now_and_then(monkeypatch: pytest.MonkeyPatch):
    case = make_case(ladder(20), band(900), 2)
    kernel, slices = native._kernels[0], []
    assert not isinstance(kernel, str)

    def run(address: int, packed: bytes) -> int:
        slices.append(struct.unpack("8q", packed[:64])[6:])
        if len(slices) == 4:
            raise KeyboardInterrupt
        return kernel.run(address, packed)

    monkeypatch.setattr(native, "_kernels", [kernel._replace(run=run)])
    monkeypatch.setattr(native, "_UNINTERRUPTED", 1e4)
    with pytest.raises(KeyboardInterrupt):
        native.gradient(*case.arguments, case.upstream())
    firsts, lasts = zip(*slices, strict=True)
    assert firsts == (0, *lasts[:-1])
    assert all(last > first for first, last in slices)


def test_sums_over_many_points_are_those_of_the_reference():
    case = make_case(CASES["passive"](), band(1100))
    G = case.upstream()
    assert distance(native.gradient(*case.arguments, G)[0], reference.gradient(*case.arguments, G)[0]) < 1e-12


def test_a_large_jacobian_is_the_small_ones(monkeypatch: pytest.MonkeyPatch):
    case = make_case(ladder(30), band(401), 3)
    monkeypatch.setattr(native, "_PAST_CACHES", 1 << 40)
    wanted = native.jacobian(*case.arguments)
    monkeypatch.setattr(native, "_PAST_CACHES", 0)
    for a, b in zip(native.jacobian(*case.arguments), wanted, strict=True):
        assert_array_equal(a, b)


# lanes that need pivoting


def resonant() -> Netlist:
    """L and C without loss meet at m, which is eliminated while both are branches: its pivot cancels at resonance."""
    bench = Bench("resonant")
    bench.add("I", "1", "0 a", ac=1.0)
    bench.add("L", "1", "a m", 1e-3)
    bench.add("C", "1", "m b", 1e-9)
    for i, nodes in enumerate(("a b", "b c", "c a", "a 0", "b 0", "c 0")):
        bench.add("R", str(i), nodes, 1e3)
    return bench.netlist()


def check_flags(case: Case, wanted: np.ndarray) -> None:
    """These lanes are flagged, zero in what comes back, and leave the others alone."""
    G, rhs = case.upstream(), complex_normal(1, 1, 2, case.plan.n, 1)
    H, flagged = native.forward(*case.arguments)
    assert_array_equal(flagged, wanted)
    assert not H.swapaxes(1, 2)[wanted].any()
    assert np.isfinite(H).all()
    _, J, by_z, flagged = native.jacobian(*case.arguments)
    assert_array_equal(flagged, wanted)
    assert not J.swapaxes(1, 3)[wanted].any()
    x, flagged = native.solve(*case.arguments, rhs)
    assert_array_equal(flagged, wanted)
    assert not x.swapaxes(1, 3)[wanted].any()
    by_q, by_z, by_f, flagged = native.gradient(*case.arguments, G, True)
    assert_array_equal(flagged, wanted)
    others = np.where(wanted[:, None], 0, G.conj())
    assert distance(by_q, np.real(np.einsum("bkn,bqkn->qb", others, J))) < 1e-12
    assert by_f is not None
    assert not by_f[wanted].any()
    assert not by_z[:, wanted].any()
    assert all(np.isfinite(part).all() for part in (by_q, by_z, by_f, x, J))


@pytest.mark.parametrize("off", [0.0, 1e-9])
@pytest.mark.parametrize("boards, points", [(1, 40), (6, 5), (40, 1)])
def test_a_resonance(boards: int, points: int, off: float):
    case = make_case(resonant(), band(points), boards, spread=0.0)
    f = np.array(np.broadcast_to(band(points), (boards, points)), order="C")
    f[boards // 2, points // 2] = (1 + off) / (2 * np.pi * 1e-6)
    wanted = np.zeros(f.shape, bool)
    wanted[boards // 2, points // 2] = True
    check_flags(replace(case, f=f), wanted)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf, -5.0, 5e-324, 1e308])
def test_frequencies_that_an_inductor_cannot_have(bad: float):
    case = make_case(CASES["passive"](), band(21), 2)
    f = case.f.copy()
    f[7] = bad
    wanted = np.zeros((2, 21), bool)
    wanted[:, 7] = True
    check_flags(replace(case, f=f), wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_frequencies_that_nothing_can_have(bad: float):
    case = make_case(ladder(4), band(21), 2)
    f = case.f.copy()
    f[7] = bad
    wanted = np.zeros((2, 21), bool)
    wanted[:, 7] = True
    check_flags(replace(case, f=f), wanted)


def test_resistors_of_either_sign_that_cancel():
    bench = Bench()
    bench.add("I", "1", "0 a", ac=1.0)
    for i, nodes in enumerate(("a m", "m b", "a b", "a c", "b c", "c 0")):
        bench.add("R", str(i), nodes, 1e3)
    for boards, points in ((3, 20), (30, 1)):
        case = make_case(bench.netlist(), band(points), boards)
        first, second = (i for i in range(case.plan.n_q) if {case.plan.entry_cp[i], case.plan.entry_cm[i]} & {1})
        q = case.q.copy()
        q[second, 1] = -q[first, 1] * (1 + 1e-9)
        wanted = np.zeros((boards, points), bool)
        wanted[1] = True
        check_flags(replace(case, q=q), wanted)


@pytest.mark.parametrize("name", ["everything", "mixed 3", "mixed 5"])
def test_a_refinement_that_would_move_too_much(name: str):
    """Rounding is made larger than it is, so that what it moves is above all chance."""
    case = make_case(CASES[name](), band(12), 2)
    rhs, G = complex_normal(4, 2, 1, case.plan.n, 12), case.upstream()
    found = set()
    for scale in 10.0 ** np.arange(1, 9):
        plan = replace(case.plan, noise=case.plan.noise * scale)
        for function, more in (("forward", ()), ("solve", (rhs, False)), ("solve", (rhs, True)), ("gradient", (G,))):
            *_, flagged = getattr(native, function)(plan, case.q, case.f, case.z, *more)
            *_, wanted = getattr(reference, function)(plan, case.q, case.f, case.z, *more)
            assert_array_equal(flagged, wanted, err_msg=f"{function} {scale}")
            found |= {*np.unique(flagged).tolist()}
    assert found == {False, True}


def test_zero_hertz_without_inductors():
    case = make_case(ladder(5), np.array([0.0, 1e3, 1e6]), 2)
    check(case, 1e-13)
    assert not native.forward(*case.arguments)[1].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["passive", "diffusive", "everything"])
def test_values_that_are_no_numbers(name: str, bad: float):
    for boards, points in ((3, 40), (3, 5)):
        case = make_case(CASES[name](), band(points), boards)
        for row in range(case.plan.n_q):
            q = case.q.copy()
            q[row, 1] = bad
            wanted = np.zeros((boards, points), bool)
            wanted[1] = True
            check_flags(replace(case, q=q), wanted)


def test_complex_values_that_are_no_numbers():
    case = make_case(CASES["diffusive"](), band(40), 2)
    z = case.z.copy()
    z[1, 1, 7] = complex(np.nan, 1.0)
    wanted = np.zeros((2, 40), bool)
    wanted[1, 7] = True
    check_flags(replace(case, z=z), wanted)


def test_upstream_gradients_that_are_no_numbers():
    case = make_case(CASES["passive"](), band(40), 2)
    G = case.upstream()
    G[1, 0, 5] = np.nan
    by_q, _, _, flagged = native.gradient(*case.arguments, G)
    assert np.isfinite(by_q).all()
    assert_array_equal(np.argwhere(flagged), [[1, 5]])


def test_a_node_that_hangs_in_the_air():
    bench = Bench()
    bench.add("V", "1", "in 0", ac=1.0)
    bench.add("R", "1", "in a", 1.0)
    bench.add("R", "2", "b c", 1.0)
    bench.add("R", "3", "a 0", 1.0)
    case = make_case(bench.netlist(), band(20), 2)
    assert native.forward(*case.arguments)[1].all()


@pytest.mark.parametrize("scale", [1e-170, 1e170])
def test_admittances_too_small_or_large_to_be_squared(scale: float):
    case = make_case(CASES["passive"](), band(20), 2)
    assert native.forward(case.plan, case.q * scale, case.f, case.z)[1].all()


def test_pivots_that_have_become_bad():
    bench = Bench()
    bench.add("V", "1", "in 0", ac=1.0)
    bench.add("R", "1", "in a", 1.0)
    bench.add("G", "1", "a 0 b 0", 1.0)
    bench.add("G", "2", "b 0 a 0", 1.0)
    bench.add("R", "2", "b 0", 1.0)
    bench.add("R", "3", "a b", 10.0)
    case = make_case(bench.netlist(), band(20), 3)
    good = native.forward(*case.arguments)[1]
    assert not good.any()
    q = case.q.copy()
    q[:, 1] = 0.0
    flagged = native.forward(case.plan, q, case.f, case.z)[1]
    assert_array_equal(flagged.all(1), [False, True, False])


# memory


def test_no_memory_is_said_aloud():
    case = make_case(ladder(4), band(5))
    native.forward(*case.arguments)
    numbers = native._programs[case.plan].members
    place = program.NUMBERS.split().index("slots")
    kept = int(numbers[place])
    numbers[place] = 1 << 50
    try:
        with pytest.raises(MemoryError, match="fewer threads"):
            native.forward(*case.arguments)
    finally:
        numbers[place] = kept
    assert not native.forward(*case.arguments)[1].any()


def test_plans_that_the_kernel_cannot_walk_are_refused():
    plan = make_case(CASES["everything"](), band(3)).plan
    shared, other = plan.col_slot.copy(), plan.pivot_slot.copy()
    shared[-1] = shared[0]
    other[[0, 1]] = other[[1, 0]]
    for broken in (replace(plan, col_slot=shared), replace(plan, pivot_slot=other)):
        with pytest.raises(ValueError, match="every slot must belong to one step"):
            program.Program(broken)


def test_plans_are_forgotten():
    before = len(native._programs)
    for _ in range(5):
        native.forward(*make_case(ladder(4), band(5)).arguments)
    assert len(native._programs) <= before + 1


def members(name: str) -> list[str]:
    """Names of the members of a C struct."""
    source = re.sub(r"/\*.*?\*/", "", native.SOURCE.read_text("utf-8"), flags=re.DOTALL)
    body = re.search(rf"typedef struct \{{([^}}]*)\}} {name};", source)
    assert body is not None
    return re.findall(r"\*?(\w+)\s*[,;]", body[1])


def test_the_executors_draw_the_line_in_one_place():
    assert (program.CANCELS, program.MOVED) == (reference.CANCELS, reference.MOVED)


def test_python_and_c_mean_the_same_members():
    assert members("Program") == f"{program.NUMBERS} {program.LIMITS} {program.ARRAYS}".split()
    assert members("Call") == f"{native.NUMBERS} {native.ARRAYS}".split()
    for name, dtype in {
        "Step": program.STEP,
        "Pair": program.PAIR,
        "Fill": program.FILL,
        "Entry": program.ENTRY,
        "Drive": program.DRIVE,
        "Term": program.TERM,
    }.items():
        assert members(name) == list(dtype.names or ())


# other processors

NARROW = """
import numpy as np
from netlist.solver.test_native import *
import netlist.solver.test_native as tests
for name in ("passive", "diffusive", "everything"):
    for boards, points in ((1, 37), (3, 7), (21, 1), (2, 48)):
        check(make_case(CASES[name](), band(points), boards), 1e-12)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="NOT RUN: flags of another processor")
@pytest.mark.parametrize("flag", ["-mno-avx512f", "-mno-avx"])
def test_vectors_of_other_widths(flag: str, tmp_path: Path):
    root = Path(__file__).parents[3]
    environment = {
        **os.environ,
        "CC": f"{os.environ.get('CC', 'cc')} {flag}",
        "OHMGRAD_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")]),
    }
    done = subprocess.run([sys.executable, "-c", NARROW], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "cache").glob("kernel-*.so"))) == 1
