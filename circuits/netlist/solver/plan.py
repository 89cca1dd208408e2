"""`Plan`: the elimination of one topology as arrays, carried out lane by lane by whichever executor is at hand.

A *lane* is one board at one frequency. An executor fills complex *slots* from the entries, eliminates step by step, and
substitutes back; both executors (`kernel.c`, `torch_executor.py`) walk the same arrays. Two kinds of step share one
loop. A star–mesh step joins the neighbours of a node pairwise by y_i·y_j/Y and each to ground by y_i·y_0/Y, Y being the
sum of the node's branches, the one to ground included: no number is ever subtracted, so that no digit is lost between
a picofarad and a gigaohm (for Markov chains: W. K. Grassmann, M. I. Taksar and D. P. Heyman, Oper. Res. 33 (1985)
1107). An LU step subtracts as usual, its pivot being one slot.

    step t:       Y = Σ slots[pivot], R_t = 1/Y; u_j = slots[col_j]/Y and l_i = slots[row_i]/Y take their slots' place
                  slots[target_ij] += sign · l_i · (u_j·Y)
    A x = b:      b[row_i] += sign·l_i·b[step_row];  backwards  x[step_col] = R_t·b[step_row] + sign·Σ_j u_j·x[col_j]
    Aᵀ λ = c:     c[col_j] += sign·u_j·c[step_col];  backwards  λ[step_row] = R_t·c[step_col] + sign·Σ_i l_i·λ[row_i]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

Functional = Mapping[int, float]
"""A weighted sum of the extended unknowns: `{node a: 1, node b: -1}` is V(a, b)."""


CANCELS = 1e-5
"""A star–mesh pivot that is smaller than this part of the sum of its branches has lost digits: its lane is flagged."""

MOVED = 1e-10
"""A lane is flagged where a refinement would move voltages or currents by more than this part of the largest."""


@dataclass(frozen=True, eq=False)
class Plan:
    """All arrays are C-contiguous; indices are int32, coefficients float64 or complex128.

    The extended unknowns are [n unknowns, rails, ground]; `ground` is their last index. In a symmetric (star–mesh) step
    the rows are the columns and share their slots; its branch to ground is the last column, with `col_index` −1: it
    takes part in the update and not in the substitution.
    """

    n: int
    rails: int
    slots: int
    n_q: int
    n_z: int
    # 1 for the voltage of a node (and the row of its currents), 0 for a current (and the row of its branch)
    is_node: np.ndarray
    # what a row that LU steps take is off by, as a part of its largest number, with a sign by chance; else 0
    noise: np.ndarray
    # entries: y = q[source]·s^exponent, or z[source − n_q]
    entry_source: np.ndarray
    entry_exponent: np.ndarray
    entry_scale: np.ndarray
    entry_rp: np.ndarray
    entry_rm: np.ndarray
    entry_cp: np.ndarray
    entry_cm: np.ndarray
    # slots[fill_slot] += fill_coef·y[fill_entry]; slots[const_slot] += const_value
    fill_slot: np.ndarray
    fill_entry: np.ndarray
    fill_coef: np.ndarray
    const_slot: np.ndarray
    const_value: np.ndarray
    # b[rhs_row] += rhs_coef·y[rhs_entry]; b[rhs_const_row] += rhs_const: the sources, and what rails contribute
    rhs_row: np.ndarray
    rhs_entry: np.ndarray
    rhs_coef: np.ndarray
    rhs_const_row: np.ndarray
    rhs_const: np.ndarray
    # for residuals, with rails among the unknowns: the sources alone, and the constant entries of the matrix
    source_row: np.ndarray
    source_value: np.ndarray
    term_row: np.ndarray
    term_col: np.ndarray
    term_value: np.ndarray
    rail_value: np.ndarray
    # steps
    step_row: np.ndarray
    step_col: np.ndarray
    step_sign: np.ndarray
    step_symmetric: np.ndarray
    step_level: np.ndarray
    pivot_ptr: np.ndarray
    pivot_slot: np.ndarray
    col_ptr: np.ndarray
    col_slot: np.ndarray
    col_index: np.ndarray
    row_ptr: np.ndarray
    row_slot: np.ndarray
    row_index: np.ndarray
    target_ptr: np.ndarray
    target_slot: np.ndarray
    # slots[assembly_dst] += assembly_sign·slots[assembly_src], before step `assembly_at`
    assembly_at: int
    assembly_dst: np.ndarray
    assembly_src: np.ndarray
    assembly_sign: np.ndarray
    # H[out_k] += out_coef·X[out_col]
    n_out: int
    out_k: np.ndarray
    out_col: np.ndarray
    out_coef: np.ndarray

    @property
    def ground(self) -> int:
        """The last extended index."""
        return self.n + self.rails

    @property
    def checked(self) -> bool:
        """Whether some steps subtract, so that it is checked what rounding may have done to a solution."""
        return bool(self.assembly_at < self.n)

    def with_outputs(self, functionals: Sequence[Functional]) -> Plan:
        """The same elimination, asked for these sums of the extended unknowns."""
        rows = [(k, column, value) for k, one in enumerate(functionals) for column, value in one.items()]
        k, column, value = zip(*rows, strict=True) if rows else ((), (), ())
        return replace(
            self, n_out=len(functionals), out_k=ints(k), out_col=ints(column), out_coef=np.array(value, dtype=float)
        )

    def with_sources(self, rail_value: np.ndarray, sources: Mapping[int, complex]) -> Plan:
        """The same elimination, driven by these rail voltages `(rails,)` and these right-hand sides by row."""
        rails = np.concatenate([np.zeros(self.n), rail_value, [0.0]]).astype(complex)
        entry, scale = self.rhs_entry, self.entry_scale[self.rhs_entry]
        on_rail = rails[self.entry_cp[entry]] - rails[self.entry_cm[entry]]
        sign = np.where(self.entry_rp[entry] == self.rhs_row, 1.0, -1.0)
        total: dict[int, complex] = dict(sources)
        for row, column, value in zip(self.term_row, self.term_col, self.term_value, strict=True):
            if column >= self.n:
                total[int(row)] = total.get(int(row), 0.0) - value * rails[column]
        return replace(
            self,
            rail_value=np.ascontiguousarray(rail_value, dtype=complex),
            rhs_coef=np.ascontiguousarray(-sign * scale * on_rail),
            rhs_const_row=ints(total),
            rhs_const=np.array(list(total.values()), dtype=complex),
            source_row=ints(sources),
            source_value=np.array(list(sources.values()), dtype=complex),
        )


def ints(values) -> np.ndarray:
    """An int32 array of any iterable."""
    return np.array(list(values), dtype=np.int32)
