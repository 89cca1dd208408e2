"""Finite eigenvalues of a pencil A + sB to full relative accuracy, with what their derivatives need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from circuits.netlist.answers.finite_field import SingularPencil, deflation_ranks

Array: TypeAlias = "np.ndarray[Any, Any]"
Pair: TypeAlias = "tuple[Array, Array]"
Solver: TypeAlias = "Callable[[Array], Array]"

DENSE = 80
"""Unknowns up to which a dense factorisation is the quicker one."""
ROUNDS = 40
"""Steps that a guess gone astray is given to find its eigenvalue."""

ROUNDING = 1e-15
"""A real part below this part of its eigenvalue cannot be told from none."""


@dataclass(frozen=True)
class Eigenvalues:
    """Every s with det(A + sB) = 0, `(m,)` by rising size, and vectors x, y `(m, n)`.

    With them ds = −yᵀ(dA + s·dB)x / yᵀBx for changes that keep the zeros of A and B. They are the eigenvectors of the
    block of the pencil that the eigenvalue comes from.
    """

    s: Array
    x: Array
    y: Array


def finite_eigenvalues(A: Array, B: Array, exact: Pair) -> Eigenvalues:
    """Every finite eigenvalue of a pencil.

    The pencil is brought to block triangular form, so that stages that do not act back on each other are solved one by
    one, and equal poles of different stages do not disturb each other.

    Args:
        A, B: square, real or complex.
        exact: the same matrices modulo a prime, see `finite_field.deflation_ranks`: how many eigenvalues are infinite,
            and how many zero, is counted there and never guessed from singular values.

    Raises:
        SingularPencil: the determinant is zero for every s.
    """
    n = len(A)
    s, x, y = [], [], []
    for rows, columns in _blocks((exact[0] != 0) | (exact[1] != 0)):
        inner = np.ix_(rows, columns)
        found = _of_block((A[inner], B[inner]), (exact[0][inner], exact[1][inner]))
        s.append(found.s)
        for kept, own, places in ((x, found.x, columns), (y, found.y, rows)):
            whole = np.zeros((len(found.s), n), complex)
            whole[:, places] = own
            kept.append(whole)
    values: Array = np.concatenate([np.zeros(0, complex), *s])
    order = np.lexsort((-values.imag, np.abs(values)))
    return Eigenvalues(values[order], *(np.concatenate([np.zeros((0, n), complex), *part])[order] for part in (x, y)))


def _blocks(pattern: Array) -> list[tuple[Array, Array]]:
    """Rows and columns of the diagonal blocks of the block triangular form of a pattern.

    A. L. Dulmage and N. S. Mendelsohn, Canad. J. Math. 10 (1958) 517; the blocks are the strong components of the graph
    that a perfect matching of rows and columns makes.
    """
    from scipy.sparse import csr_matrix  # only where poles are asked for
    from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching

    if not len(pattern):
        return []
    column_of = maximum_bipartite_matching(csr_matrix(pattern), perm_type="column")
    if (column_of < 0).any():
        raise SingularPencil
    count, label = connected_components(csr_matrix(pattern[:, column_of]), connection="strong")
    rows = [np.flatnonzero(label == i) for i in range(count)]
    return [(own, column_of[own]) for own in rows]


def _of_block(pencil: Pair, exact: Pair) -> Eigenvalues:
    """Eigenvalues of one block: guessed by deflation, then improved on the pencil as it was given."""
    infinite, zero = deflation_ranks(*exact)
    A, B = _equilibrated(*pencil)
    full = len(A) if not infinite else infinite[-1]
    for size in infinite:
        A, B = _deflated(A, B, size)
    for size in zero:
        B, A = _deflated(B, A, size)
    zeros = np.zeros(full - len(A), complex)
    guesses = np.concatenate([zeros, _sorted(np.linalg.eigvals(-np.linalg.solve(B, A)))]) if len(A) else zeros
    return _refined(*pencil, guesses)


def _deflated(A: Array, B: Array, rank: int) -> Pair:
    """The pencil on the vectors that obey the rows of A in which B, of this rank, has nothing."""
    U, S, Vh = np.linalg.svd(B)
    A = U.conj().T @ A @ Vh.conj().T
    constraints = A[rank:] / np.linalg.norm(A[rank:], axis=1, keepdims=True)
    Q = np.linalg.qr(constraints.conj().T, mode="complete")[0]
    allowed = Q[:, len(A) - rank :]
    return (A[:rank] @ allowed) / S[:rank, None], allowed[:rank]


def _equilibrated(A: Array, B: Array) -> Pair:
    """Rows and columns scaled by powers of two: constraints to entries near one, the others by their part in B."""
    size, moving = np.abs(A), np.abs(B).max(axis=1, initial=0.0) > 0
    left, right = np.ones(len(A)), np.ones(len(A))
    for _ in range(6):
        scaled = size * left[:, None] * right
        left *= _middle(scaled, 1)
        scaled = (size * left[:, None] * right)[~moving]
        right *= _middle(scaled, 0)
    left[moving] = 1 / np.abs(B * right)[moving].max(axis=1, initial=0.0)
    left, right = (np.exp2(np.round(np.log2(factor))) for factor in (left, right))
    return A * left[:, None] * right, B * left[:, None] * right


def _middle(size: Array, axis: int) -> Array:
    """1/√(largest · smallest entry that is not zero) along an axis; 1 where there is none."""
    largest = size.max(axis=axis, initial=0.0)
    smallest = np.where(size > 0, size, np.inf).min(axis=axis, initial=np.inf)
    return 1 / np.sqrt(_or_one(largest) * np.where(largest > 0, smallest, 1.0))


def _sorted(values: Array) -> Array:
    """By rising size; of a pair the one in the upper half-plane first."""
    values = values.astype(complex)
    return values[np.lexsort((-values.imag, np.abs(values)))]


# improvement


def _refined(A: Array, B: Array, guesses: Array) -> Eigenvalues:
    """Eigenvalues improved on the pencil itself, where small ones beside large ones gain their last digits.

    Each by Rayleigh quotients s ← s − yᵀ(A + sB)x / yᵀBx, x and y from inverse iteration (A. M. Ostrowski, Arch.
    Rational Mech. Anal. 3 (1959) 472). A guess that leads elsewhere is first moved by Newton steps on the determinant
    in which the other eigenvalues are divided out (O. Aberth, Math. Comp. 27 (1973) 339).
    """
    s = guesses.copy()
    ready = _made_ready(A, B)
    found = [_improved(*ready, value, gap) for value, gap in zip(s, _gaps(s), strict=True)]
    astray = [i for i, (value, *_) in enumerate(found) if value is None]
    s = np.array([old if value is None else value for (value, *_), old in zip(found, s, strict=True)], complex)
    if astray:
        s = _separated(A, B, s, astray)
        for i, gap in zip(astray, _gaps(s)[astray], strict=True):
            found[i] = _improved(*ready, s[i], gap)
            s[i] = s[i] if found[i][0] is None else found[i][0]
    x, y = (np.array([entry[k] for entry in found], complex).reshape(len(s), len(A)) for k in (1, 2))
    return Eigenvalues(s, x, y) if np.iscomplexobj(A) else _in_pairs(s, x, y)


def _in_pairs(s: Array, x: Array, y: Array) -> Eigenvalues:
    """Eigenvalues of a real pencil: each complex one below the real axis exactly the mirror image of one above, a real
    part that is nothing but rounding exactly zero.
    """
    s.real[np.abs(s.real) <= ROUNDING * np.abs(s)] = 0
    above = np.flatnonzero(s.imag > 0)
    for i in np.flatnonzero(s.imag < 0):
        if len(above):
            twin = above[np.argmin(np.abs(s[above] - s[i].conj()))]
            s[i], x[i], y[i] = s[twin].conj(), x[twin].conj(), y[twin].conj()
    return Eigenvalues(s, x, y)


def _made_ready(A: Array, B: Array) -> tuple[Any, Any]:
    """The matrices, as sparse ones where they are large."""
    from scipy.sparse import csr_matrix  # only where poles are asked for

    return (A, B) if len(A) <= DENSE else (csr_matrix(A), csr_matrix(B))


def _improved(A: Any, B: Any, start: complex, gap: float) -> tuple[complex | None, Array, Array]:
    """The eigenvalue nearest to a start, None where that is another one's; with right and left eigenvectors."""
    is_real = A.dtype.kind != "c" and abs(start.imag) <= 1e-9 * abs(start)
    value: Any = start.real if is_real else complex(start)
    x = y = np.cos(np.arange(A.shape[0]))  # any vector that is no eigenvector of somebody else
    for _ in range(6):
        solve, solve_transposed = _factored(A + value * B)
        for _ in range(3):
            x, y = _unit(solve(B @ x)), _unit(solve_transposed(B.T @ y))
        if start == 0:
            return 0j, x, y
        slope = y @ (B @ x)
        correction = (y @ (A @ x + value * (B @ x))) / slope if slope else np.inf
        if not abs(correction) < abs(value):
            break
        value = value - correction
        if abs(correction) <= 4e-16 * abs(value):
            break
    is_same = abs(value - start) <= min(0.3 * abs(start), 0.5 * gap)
    return (complex(value) if is_same else None), x, y


def _separated(A: Array, B: Array, s: Array, astray: list[int]) -> Array:
    """Guesses gone astray, moved until each is at an eigenvalue that no other has."""
    s = s.copy()
    for _ in range(ROUNDS):
        moved = 0.0
        for i in astray:
            others = np.delete(s, i)
            others = np.where(others == s[i], others * (1 + 1e-8j), others)
            matrix = A + s[i] * B
            with np.errstate(all="ignore"):
                try:
                    slope = np.trace(np.linalg.solve(matrix, B))
                except np.linalg.LinAlgError:
                    continue
                step = 1 / (slope - (1 / (s[i] - others)).sum())
            if np.isfinite(step):
                s[i] -= step
                moved = max(moved, abs(step) / abs(s[i]))
        if moved < 1e-13:
            break
    return s


def _gaps(guesses: Array) -> Array:
    """Distance of each to the nearest other."""
    distance = np.abs(guesses[:, None] - guesses[None, :])
    np.fill_diagonal(distance, np.inf)
    return distance.min(axis=1, initial=np.inf)


def _unit(x: Array) -> Array:
    size = np.abs(x).max(initial=0.0)
    return x / size if 0 < size < np.inf else x


def _factored(matrix: Any) -> tuple[Solver, Solver]:
    """Solvers with the matrix and its transpose, rows scaled; a pivot of exactly zero is taken for a smallest one."""
    if isinstance(matrix, np.ndarray):
        rows = _or_one(np.abs(matrix).max(axis=1))
        solve, solve_transposed = _dense(matrix / rows[:, None])
    else:
        rows = _or_one(abs(matrix).max(axis=1).toarray().ravel())
        solve, solve_transposed = _sparse(matrix.multiply(1 / rows[:, None]).tocsc())
    return (lambda b: solve(b / rows)), (lambda b: solve_transposed(b) / rows)


def _or_one(size: Array) -> Array:
    return np.where(size > 0, size, 1.0)


def _dense(matrix: Array) -> tuple[Solver, Solver]:
    from scipy.linalg import get_lapack_funcs

    getrf, getrs = get_lapack_funcs(("getrf", "getrs"), (matrix,))
    factors, order, _ = getrf(matrix)
    diagonal = np.einsum("ii->i", factors)
    diagonal[diagonal == 0] = np.finfo(float).eps * (np.abs(factors).max() or 1.0)
    return (lambda b: getrs(factors, order, b)[0]), (lambda b: getrs(factors, order, b, trans=1)[0])


def _sparse(matrix: Any) -> tuple[Solver, Solver]:
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import splu

    try:
        factors = splu(matrix)
    except RuntimeError:  # exactly singular: a neighbour within rounding
        factors = splu((matrix @ diags_array(1 + 1e-15 * np.cos(np.arange(matrix.shape[0])))).tocsc())
    return factors.solve, lambda b: factors.solve(b, "T")
