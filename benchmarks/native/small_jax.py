"""JAX on small arrays: eager arithmetic and reductions, and the call of a compiled function."""

import jax
import jax.numpy as jnp
from jax import lax

from . import data


def arithmetic(name: str):
    a, b = (jnp.asarray(g) for g in data.grids())
    row = b[:, 0]
    return {
        "same": lambda: lambda: a + b,
        "missing": lambda: lambda: a + row[:, None],
        "missing lax": lambda: lambda: lax.add(a, lax.broadcast_in_dim(row, a.shape, (0,))),
        "transposed": lambda: lambda: a + b.T,
        "transposed lax": lambda: lambda: lax.add(a, lax.transpose(b, (1, 0))),
        "sum": lambda: lambda: a.sum(0),
        "function": lambda: lambda: jnp.sum(a, 0),
    }[name]


def jit_call():
    a, b = (jnp.asarray(g) for g in data.grids())
    run = jax.jit(lambda a, b: (a + b) * a - b)
    return lambda: run(a, b)


TASKS = {
    "add same dims": {"plus": arithmetic("same")},
    "add missing dim": {"plus": arithmetic("missing"), "lax": arithmetic("missing lax")},
    "add transposed dim": {"plus": arithmetic("transposed"), "lax": arithmetic("transposed lax")},
    "sum one dim": {"method": arithmetic("sum"), "function": arithmetic("function")},
    "jit call": {"jit": jit_call},
}
