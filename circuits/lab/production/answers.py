"""What is asked of a board, as one row of m numbers: a quantity over frequency, or the corner frequencies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit, _holding
from circuits.errors import OptionError
from circuits.notation import format

REAL = ("magnitude", "decibels", "phase", "group_delay", "led")


@dataclass(frozen=True, eq=False)
class Answer:
    """m numbers that a board gives: `quantity` at the frequencies f of every output, or where f is None its corners.

    `labels` says what each is; `threshold` is not None where a number counts only as lit or dark.
    """

    labels: tuple[str, ...]
    f: Tensor | None = None
    quantity: str = "magnitude"
    threshold: float | None = None

    def values(self, circuit: Circuit) -> Tensor:
        """`(*batch, m)` of the circuit as it stands, with its graph; of an LED the magnitude that lights it."""
        if self.f is None:
            return torch.stack(torch.broadcast_tensors(*circuit.cutoffs().values()), -1)
        return circuit.predict(self.f, self.quantity).flatten(-2 if circuit.outputs else -1)

    def diagonal(self, circuit: Circuit) -> Tensor:
        """Of m boards, number j of board j: `(m,)`, each at its own frequency alone."""
        m = len(self.labels)
        if self.f is None:
            return self.values(circuit).expand(m, m).diagonal()
        f = self.f.repeat(max(len(circuit.outputs), 1)).unsqueeze(-1)
        found = circuit.predict(f, self.quantity).squeeze(-1)
        if not circuit.outputs:
            return found
        output = torch.arange(len(circuit.outputs), device=found.device).repeat_interleave(len(self.f))
        return found.gather(-1, output.unsqueeze(-1)).squeeze(-1)


def answer_of(circuit: Circuit, f: Any = None, quantity: str = "magnitude") -> Answer:
    """The quantity at frequencies f in hertz, `(n,)`, of every output; or the corner frequencies where f is None.

    An `led` is 1 where the magnitude is above the circuit's `threshold`, or above 1/√2, else 0.

    Raises:
        OptionError: a complex quantity, or a circuit that names no corner frequency.
        FrequencyError: a frequency that is not positive and finite.

    >>> from circuits.filters import LowPass
    >>> circuit = LowPass(R=1000.0)
    >>> answer_of(circuit).labels, answer_of(circuit, [100.0, 200.0]).values(circuit).shape
    (('cutoff',), torch.Size([2]))
    """
    if f is None:
        labels = tuple(circuit.cutoffs())
        if not labels:
            raise OptionError(f"{circuit.title} names no corner frequency; ask for a quantity at frequencies f instead")
        return Answer(labels)
    if quantity not in REAL:
        raise OptionError(f"the spread of {quantity!r}; expected a real quantity: {', '.join(REAL)}")
    at = circuit._checked(f).reshape(-1)
    named = [f"{output} " if output else "" for output in circuit.outputs or ("",)]
    labels = tuple(f"{output}{format(hertz, 'Hz')}" for output in named for hertz in at.tolist())
    return Answer(labels, at, quantity, threshold_of(circuit) if quantity == "led" else None)


def threshold_of(circuit: Circuit) -> float:
    """The magnitude above which an LED is lit: that of the circuit, or 1/√2.

    >>> from circuits.filters import LowPass
    >>> threshold_of(LowPass(R=500.0))
    0.7071067811865476
    """
    return float(getattr(circuit, "threshold", 0.5**0.5))


@contextmanager
def made_of(circuit: Circuit, names: Sequence[str], values: Tensor) -> Iterator[None]:
    """The circuit with boards in place of one: `values` is `(*boards, p)`, for p components by name.

    A Parameter that serves under two names is replaced under both.

    >>> from circuits.filters import LowPass
    >>> circuit = LowPass(R=1000.0)
    >>> with made_of(circuit, ["R"], torch.tensor([[100.0], [200.0]])):
    ...     circuit(1000.0).shape
    torch.Size([2])
    """
    parts = dict(circuit.named_parameters(remove_duplicate=False))
    columns = {id(parts[name]): values[..., i] for i, name in enumerate(names)}
    held = {name: columns[id(part)] for name, part in parts.items() if id(part) in columns}
    like = next(iter(parts.values()))
    with _holding(circuit, {name: column.to(like) for name, column in held.items()}):
        yield


def evaluated(circuit: Circuit, names: Sequence[str], values: Tensor, answer: Answer) -> Tensor:
    """The answer of boards, `(*boards, m)`, without a graph; lit and dark as 1 and 0.

    >>> from circuits.filters import LowPass
    >>> circuit = LowPass(R=1000.0)
    >>> evaluated(circuit, ["R"], torch.tensor([[500.0], [1000.0]]), answer_of(circuit)).squeeze(-1)
    tensor([318.3099, 159.1549], dtype=torch.float64)
    """
    with torch.no_grad(), made_of(circuit, names, values):
        found = answer.values(circuit).double()
    found = found.expand(*values.shape[:-1], -1)  # parts that nothing depends on
    return found if answer.threshold is None else (found > answer.threshold).double()


def slopes(circuit: Circuit, names: Sequence[str], values: Tensor, answer: Answer) -> tuple[Tensor, Tensor]:
    """m boards `(m, p)`, of which each counts for its own number of the answer: that number, and its gradient `(m, p)`.

    >>> from circuits.filters import LowPass
    >>> circuit = LowPass(R=1000.0)
    >>> slopes(circuit, ["R"], torch.tensor([[1000.0]]), answer_of(circuit))[1].item()
    -0.159154...
    """
    leaf = values.detach().clone().requires_grad_()
    with torch.enable_grad(), made_of(circuit, names, leaf):
        own = answer.diagonal(circuit).double()
        (gradient,) = torch.autograd.grad(own.sum(), leaf, allow_unused=True)
    return own.detach(), torch.zeros_like(leaf) if gradient is None else gradient
