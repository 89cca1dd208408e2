"""What the tests of files share: a file to write, and numbers to compare."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def same():
    """Compare a tensor with a nested list of numbers; missing values are equal."""

    def compared(values, expected):
        expected = torch.tensor(expected, dtype=values.dtype)
        return values.shape == expected.shape and torch.allclose(
            values, expected, rtol=1e-14, atol=1e-14, equal_nan=True
        )

    return compared


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file."""

    def written(content, encoding="utf-8"):
        path = tmp_path / "bench.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return written
