"""Look-up by index: gather, scatter, masks."""

from __future__ import annotations

from typing import Any


def gather(values: Any, indices: Any, dims: Any = None) -> Any:
    raise NotImplementedError


def boolean_mask(x: Any, dim: Any, mask: Any) -> Any:
    raise NotImplementedError
