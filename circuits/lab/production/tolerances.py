"""How far real parts are from their nominal values: `Tolerances`, and the boards drawn from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import ComponentError, OptionError, ShapeError, UnknownName
from circuits.netlist.netlist_circuit import NetlistCircuit

DISTRIBUTIONS = ("gaussian", "uniform")
SIGMAS = 3.0
"""How many standard deviations of the Gaussian a tolerance is."""
LETTERS = {"R": "Ω", "C": "F", "L": "H"}
"""What one letter stands for: every component of that unit."""
_TAIL = 0.5 * math.erfc(SIGMAS / math.sqrt(2))
_HALF = SIGMAS * math.exp(-0.5 * SIGMAS**2) / math.sqrt(2 * math.pi)
_DEVIATION = {
    "gaussian": math.sqrt(1 - 2 * _HALF / (1 - 2 * _TAIL)) / SIGMAS,
    "uniform": 1 / math.sqrt(3),
}


@dataclass(frozen=True, eq=False)
class Tolerances:
    """The spread of each part around its nominal value, which is value · (1 + tolerance · z), z within ±1.

    Args:
        sizes: relative tolerance by dotted component name, 0.05 for 5 %; below 1. A component that is not named is
            perfect.
        distribution: "gaussian" has its standard deviation at a third of the tolerance and is cut at the tolerance,
            because parts beyond it are sorted out (which makes it 0.9866 of that third); "uniform" is even over the
            whole tolerance.
        measured: relative deviations that were found on real parts, by name, such as `{"R": [0.011, -0.004, …]}`. Each
            is as likely as the next, and they take the place of a tolerance.
        correlation: `(p, p)` over `names`, of normal numbers that are then turned into the distribution of each part
            (a Gaussian copula): parts of one reel are off together. None: independent.

    Raises:
        OptionError: a tolerance, a distribution or a correlation that there cannot be.
        ShapeError: a correlation of another size.

    >>> parts = Tolerances({"R": 0.05, "C": 0.10})
    >>> parts.names, parts.deviations(3, seed=1).shape
    (('R', 'C'), torch.Size([3, 2]))
    >>> bool((parts.deviations(1000).abs() <= torch.tensor([0.05, 0.10])).all())
    True

    References: R. Spence and R. S. Soin, Tolerance Design of Electronic Circuits, 1988; for the copula R. B. Nelsen,
    An Introduction to Copulas, 2nd ed., 2006.
    """

    sizes: Mapping[str, float]
    distribution: str = "gaussian"
    measured: Mapping[str, Sequence[float] | Tensor] = field(default_factory=dict)
    correlation: Tensor | Sequence[Sequence[float]] | None = None
    root: Tensor | None = field(init=False, default=None, repr=False)
    """L of the correlation LLᵀ."""

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            raise UnknownName("distribution", self.distribution, DISTRIBUTIONS)
        for name, size in self.sizes.items():
            if not 0 <= size < 1:
                raise OptionError(f"tolerance {name} = {size!r}; expected a share from 0 to below 1, 0.05 for 5 %")
        for name in self.measured:
            if name in self.sizes:
                raise OptionError(f"{name} has a tolerance and a measured spread; give one of the two")
        found = {name: _found(name, numbers) for name, numbers in self.measured.items()}
        object.__setattr__(self, "measured", found)
        object.__setattr__(self, "root", _root(self.correlation, self.names))

    @property
    def names(self) -> tuple[str, ...]:
        """The components that vary: those with a tolerance, then the measured ones."""
        return (*self.sizes, *self.measured)

    @property
    def scales(self) -> Tensor:
        """`(p,)`: the tolerance of each, or the largest deviation that was measured."""
        largest = [float(torch.as_tensor(numbers).abs().max()) for numbers in self.measured.values()]
        return torch.tensor([*self.sizes.values(), *largest], dtype=torch.float64)

    @property
    def sigmas(self) -> Tensor:
        """`(p,)`: one standard deviation of the relative deviation of each, exactly."""
        own = [size * _DEVIATION[self.distribution] for size in self.sizes.values()]
        spread = [float(torch.as_tensor(numbers).std(correction=0)) for numbers in self.measured.values()]
        return torch.tensor([*own, *spread], dtype=torch.float64)

    def deviations(self, boards: int, seed: int = 0) -> Tensor:
        """Relative deviations of so many boards, `(boards, p)`."""
        return torch.cat([*self.blocks(boards, boards, seed)])

    def blocks(self, boards: int, size: int, seed: int = 0) -> Iterator[Tensor]:
        """The same boards in blocks of `size`, which does not change what is drawn."""
        generator = torch.Generator().manual_seed(seed)
        for start in range(0, boards, size):
            rows = min(size, boards - start)
            yield self._shaped(torch.rand(rows, len(self.names), dtype=torch.float64, generator=generator))

    def _shaped(self, u: Tensor) -> Tensor:
        """Even numbers from 0 to 1 as deviations."""
        if self.root is not None:
            normal = torch.special.ndtri(u.clamp_min(1e-300)) @ self.root.T
            u = torch.special.ndtr(normal)
        own = len(self.sizes)
        if self.distribution == "gaussian":
            z = torch.special.ndtri(u[:, :own].mul(1 - 2 * _TAIL).add_(_TAIL)).div_(SIGMAS).clamp_(-1, 1)
        else:
            z = 2 * u[:, :own] - 1
        z.mul_(self.scales[:own])
        columns = [
            _picked(torch.as_tensor(n), u[:, own + i : own + i + 1]) for i, n in enumerate(self.measured.values())
        ]
        return torch.cat([z, *columns], -1) if columns else z


def tolerances_of(
    circuit: Circuit, given: Mapping[str, float] | None = None, distribution: str = "gaussian"
) -> Tolerances:
    """The tolerances that a circuit knows (`tol=5%` in a netlist), and beside or in place of them those given.

    Args:
        circuit: any circuit.
        given: relative tolerances by dotted name, by glob such as `"X1.R*"`, or by one of the letters R, C and L for
            every component of that unit, in a netlist only those outside its subcircuits. A name counts more than a
            glob, and that more than a letter. Upper and lower case are the same.
        distribution: as for `Tolerances`.

    Raises:
        UnknownName: nothing of that name. OptionError: no tolerance at all.

    >>> from circuits.color_organ import ColorOrgan
    >>> organ = ColorOrgan(200.0, (40.0, 160.0), 32.0)
    >>> tolerances_of(organ, {"R": 0.05, "C": 0.10, "low.R": 0.01}).sizes["low.R"]
    0.01
    """
    units = circuit.units()
    sizes = {name: kind.tolerance for name, kind in circuit.kinds().items() if kind.tolerance is not None}
    inside = isinstance(circuit, NetlistCircuit)
    for text, size in sorted((given or {}).items(), key=lambda item: _weight(item[0], units)):
        sizes.update(dict.fromkeys(_meant(text, units, inside), size))
    if not sizes:
        raise OptionError("no tolerances; give some by component, such as R=5%, or in the netlist: tol=5%")
    return Tolerances({name: sizes[name] for name in units if name in sizes}, distribution)


def checked(circuit: Circuit, tolerances: Tolerances) -> Tensor:
    """The nominal values `(p,)` of the parts that vary.

    Raises:
        UnknownName: a tolerance for a component that is not there. ShapeError: a circuit that is a batch of boards.

    >>> from circuits.filters import LowPass
    >>> checked(LowPass(R=500.0), Tolerances({"R": 0.05}))
    tensor([500.], dtype=torch.float64)
    """
    parts = dict(circuit.named_parameters(remove_duplicate=False))
    for name in tolerances.names:
        if name not in parts:
            raise UnknownName("component", name, parts)
    if circuit.batch_shape:
        raise ShapeError(f"a batch of boards {tuple(circuit.batch_shape)}; tolerances are drawn around a single one")
    if not tolerances.names:
        raise OptionError("no tolerances; give some by component, such as {'R': 0.05}")
    return torch.stack([parts[name].detach().to("cpu", torch.float64) for name in tolerances.names])


def _weight(text: str, units: Mapping[str, str]) -> int:
    return 2 if text in units else 0 if text in LETTERS else 1


def _meant(text: str, units: Mapping[str, str], is_netlist: bool) -> list[str]:
    """The components that a name, a letter or a glob stands for."""
    if text in units:
        return [text]
    if text in LETTERS:
        found = [name for name, unit in units.items() if unit == LETTERS[text] and not (is_netlist and "." in name)]
    else:
        found = [name for name in units if fnmatchcase(name.casefold(), text.casefold())]
    if not found:
        raise UnknownName("component", text, units)
    return found


def _found(name: str, numbers: Sequence[float] | Tensor) -> Tensor:
    """Measured deviations, rising, so that a correlation can act on them."""
    found = torch.as_tensor(numbers, dtype=torch.float64)
    if found.ndim != 1 or not len(found) or not bool((found.isfinite() & (found > -1)).all()):
        raise ComponentError(
            f"the measured spread of {name} is {numbers!r}; expected deviations above −1, such as [0.01, -0.02]"
        )
    return found.sort().values


def _picked(sorted_numbers: Tensor, u: Tensor) -> Tensor:
    """One of the numbers for each u, all equally likely."""
    return sorted_numbers[(u * len(sorted_numbers)).long().clamp_(max=len(sorted_numbers) - 1)]


def _root(correlation: Tensor | Sequence[Sequence[float]] | None, names: Sequence[str]) -> Tensor | None:
    """A root of the correlation by its eigenvalues: parts that are always alike have none by Cholesky."""
    if correlation is None:
        return None
    given = torch.as_tensor(correlation, dtype=torch.float64)
    if given.shape != (len(names), len(names)):
        raise ShapeError(
            f"correlation of shape {tuple(given.shape)}; expected {(len(names),) * 2}, for {', '.join(names)}"
        )
    square, vectors = torch.linalg.eigh(given)
    sound = bool(given.isfinite().all()) and torch.allclose(given, given.T) and float(square.min()) > -1e-9
    if not sound or not torch.allclose(given.diagonal(), given.new_ones(len(names))):
        raise OptionError("that is no correlation; expected a symmetric matrix of ones on the diagonal, none negative")
    return vectors * square.clamp_min(0).sqrt()
