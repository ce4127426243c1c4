"""PyTorch on small arrays: eager arithmetic and reductions, and the call of a compiled function."""

import torch

from . import data
from .compile_torch import compiled


def arithmetic(name: str):
    a, b = (torch.from_numpy(g) for g in data.grids())
    row = b[:, 0].clone()
    return {
        "same": lambda: lambda: a + b,
        "missing": lambda: lambda: a + row[:, None],
        "transposed": lambda: lambda: a + b.T,
        "sum": lambda: lambda: a.sum(0),
        "function": lambda: lambda: torch.sum(a, 0),
    }[name]


def three_operations(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return (a + b) * a - b


def jit_by_inductor():
    a, b = (torch.from_numpy(g) for g in data.grids())
    run = compiled(three_operations, a, b)
    return lambda: run(a, b)


def jit_by_dynamo():
    a, b = (torch.from_numpy(g) for g in data.grids())
    run = torch.compile(three_operations)
    return lambda: run(a, b)


TASKS = {
    "add same dims": {"plus": arithmetic("same")},
    "add missing dim": {"plus": arithmetic("missing")},
    "add transposed dim": {"plus": arithmetic("transposed")},
    "sum one dim": {"method": arithmetic("sum"), "function": arithmetic("function")},
    "jit call": {"inductor": jit_by_inductor, "dynamo": jit_by_dynamo},
}
