"""From one kind of port parameters to another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from circuits.errors import OptionError, ShapeError

SINGULAR = 1e-14
"""Smallest reciprocal condition number, or part of the largest term, that tells a number from a rounded zero."""


def convert_parameters(matrix: Tensor, source: str, target: str, z0: float | Sequence[float] = 50.0) -> Tensor:
    """Port parameters `(…, p, p)` of one kind as another, each of "S", "Z", "Y" and "ABCD"; known to autograd.

    Of matrices, with z = Z/√(z_j z_k):    S = (z − 1)(z + 1)⁻¹,    Y = Z⁻¹,    and of two ports
    [[A, B], [C, D]] = [[Z11, det Z], [1, Z22]]/Z21. Rounding is magnified where z0 is far from the impedances of the
    circuit; `two_ports.port_parameters` solves for each kind on its own.

    Args:
        matrix: complex or real.
        source, target: kinds.
        z0: reference resistance in ohms of all ports, or one each, where S is concerned.

    Raises:
        OptionError: an unknown kind; or a kind that these parameters do not have, as a series element has no Z.
        ShapeError: no square matrices, or for ABCD none of two ports.

    >>> series = torch.tensor([[1.0, 50.0], [0.0, 1.0]])
    >>> convert_parameters(series, "ABCD", "S")
    tensor([[0.3333, 0.6667],
            [0.6667, 0.3333]])
    >>> convert_parameters(series, "ABCD", "Z")
    Traceback (most recent call last):
    circuits.errors.OptionError: these ABCD parameters have no Z: C is zero at point 0; ask for another kind
    """
    for kind in (source, target):
        if kind not in ("S", "Z", "Y", "ABCD"):
            raise OptionError(f"no parameters {kind!r}; expected one of S, Z, Y, ABCD")
    p = matrix.shape[-1]
    if matrix.ndim < 2 or matrix.shape[-2] != p or ("ABCD" in (source, target) and p != 2):
        expected = "(…, 2, 2)" if "ABCD" in (source, target) else "(…, p, p)"
        raise ShapeError(f"{source} parameters of shape {tuple(matrix.shape)}; expected {expected}")
    if source == target:
        return matrix
    real = matrix.real.dtype if matrix.is_complex() else matrix.dtype
    z = torch.as_tensor(z0, dtype=real, device=matrix.device).expand(p)
    return _TABLE[source, target](matrix, z)


def _divided(numerator: Tensor, divisor: Tensor, size: Tensor, name: str, source: str, target: str) -> Tensor:
    """A matrix over a number that must not be zero beside `size`."""
    _refuse(divisor.abs() <= SINGULAR * size, f"{name} is zero", source, target)
    return numerator / divisor[..., None, None]


def _inverse(matrix: Tensor, name: str, source: str, target: str) -> Tensor:
    with torch.no_grad():
        singular = torch.linalg.svdvals(matrix)
    _refuse(singular[..., -1] <= SINGULAR * singular[..., 0], f"{name} is singular", source, target)
    return torch.linalg.inv(matrix)


def _refuse(wrong: Tensor, why: str, source: str, target: str) -> None:
    if bool(wrong.any()):
        point = int(wrong.reshape(-1).nonzero()[0])
        raise OptionError(f"these {source} parameters have no {target}: {why} at point {point}; ask for another kind")


def _parts(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 0], matrix[..., 1, 1]


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    a, b, c, d = torch.broadcast_tensors(a, b, c, d)
    return torch.stack([torch.stack([a, b], -1), torch.stack([c, d], -1)], -2)


def _eye(matrix: Tensor) -> Tensor:
    return torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)


def _s_to_z(S: Tensor, z: Tensor) -> Tensor:
    root = z.sqrt()
    return root[:, None] * (_inverse(_eye(S) - S, "1 − S", "S", "Z") @ (_eye(S) + S)) * root


def _s_to_y(S: Tensor, z: Tensor) -> Tensor:
    root = z.sqrt()
    return (_inverse(_eye(S) + S, "1 + S", "S", "Y") @ (_eye(S) - S)) / root[:, None] / root


def _z_to_s(Z: Tensor, z: Tensor) -> Tensor:
    n = Z / torch.sqrt(z[:, None] * z)
    return (n - _eye(Z)) @ _inverse(n + _eye(Z), "Z/z0 + 1", "Z", "S")


def _y_to_s(Y: Tensor, z: Tensor) -> Tensor:
    n = Y * torch.sqrt(z[:, None] * z)
    return (_eye(Y) - n) @ _inverse(_eye(Y) + n, "1 + z0·Y", "Y", "S")


def _abcd_to_z(chain: Tensor, z: Tensor) -> Tensor:
    A, B, C, D = _parts(chain)
    numerator = _matrix(A, A * D - B * C, torch.ones_like(A), D)
    return _divided(numerator, C, 0 * A.abs(), "C", "ABCD", "Z")


def _abcd_to_y(chain: Tensor, z: Tensor) -> Tensor:
    A, B, C, D = _parts(chain)
    numerator = _matrix(D, B * C - A * D, -torch.ones_like(A), A)
    return _divided(numerator, B, 0 * A.abs(), "B", "ABCD", "Y")


def _z_to_abcd(Z: Tensor, z: Tensor) -> Tensor:
    Z11, Z12, Z21, Z22 = _parts(Z)
    numerator = _matrix(Z11, Z11 * Z22 - Z12 * Z21, torch.ones_like(Z11), Z22)
    return _divided(numerator, Z21, _largest(Z), "Z21", "Z", "ABCD")


def _y_to_abcd(Y: Tensor, z: Tensor) -> Tensor:
    Y11, Y12, Y21, Y22 = _parts(Y)
    numerator = -_matrix(Y22, torch.ones_like(Y11), Y11 * Y22 - Y12 * Y21, Y11)
    return _divided(numerator, Y21, _largest(Y), "Y21", "Y", "ABCD")


def _largest(matrix: Tensor) -> Tensor:
    return matrix.abs().amax((-2, -1))


def _abcd_to_s(chain: Tensor, z: Tensor) -> Tensor:
    A, B, C, D = _parts(chain)
    z1, z2 = z
    A, C, D = A * z2, C * z1 * z2, D * z1
    root = torch.sqrt(z1 * z2)
    numerator = _matrix(A + B - C - D, 2 * (A * D - B * C) / root, 2 * root * torch.ones_like(A), B + D - A - C)
    size = A.abs() + B.abs() + C.abs() + D.abs()
    return _divided(numerator, A + B + C + D, size, "A·z2 + B + C·z1·z2 + D·z1", "ABCD", "S")


def _s_to_abcd(S: Tensor, z: Tensor) -> Tensor:
    S11, S12, S21, S22 = _parts(S)
    z1, z2 = z
    root, product = torch.sqrt(z1 * z2), S12 * S21
    numerator = _matrix(
        ((1 + S11) * (1 - S22) + product) * z1 / root,
        ((1 + S11) * (1 + S22) - product) * root,
        ((1 - S11) * (1 - S22) - product) / root,
        ((1 - S11) * (1 + S22) + product) * z2 / root,
    )
    return _divided(numerator, 2 * S21, 1 + _largest(S), "S21", "S", "ABCD")


_TABLE: Mapping[tuple[str, str], Callable[[Tensor, Tensor], Tensor]] = {
    ("S", "Z"): _s_to_z,
    ("S", "Y"): _s_to_y,
    ("S", "ABCD"): _s_to_abcd,
    ("Z", "S"): _z_to_s,
    ("Z", "Y"): lambda Z, z: _inverse(Z, "Z", "Z", "Y"),
    ("Z", "ABCD"): _z_to_abcd,
    ("Y", "S"): _y_to_s,
    ("Y", "Z"): lambda Y, z: _inverse(Y, "Y", "Y", "Z"),
    ("Y", "ABCD"): _y_to_abcd,
    ("ABCD", "S"): _abcd_to_s,
    ("ABCD", "Z"): _abcd_to_z,
    ("ABCD", "Y"): _abcd_to_y,
}
