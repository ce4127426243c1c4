"""JAX, jitted: smoke step and gradient through 32 of them; the method is told in `smoke_numpy`."""

import jax
import jax.numpy as jnp
from jax import lax

from . import data
from .pressure_jax import by_matrices, by_transform, projection


def step_with(solve, corners):
    """Step `(s, u, v) → (s, u, v)` with a pressure solver and a reader of the four values around a point."""
    project = projection(solve, "closed")

    def step(s: jax.Array, u: jax.Array, v: jax.Array) -> tuple[jax.Array, ...]:
        walled_u, walled_v = jnp.pad(u, ((1, 1), (0, 0))), jnp.pad(v, ((0, 0), (1, 1)))
        cu, cv = (walled_u[1:] + walled_u[:-1]) / 2, (walled_v[:, 1:] + walled_v[:, :-1]) / 2
        s = advected_smoke(s, cu, cv, corners)
        mean_v = (walled_v[:-1, :-1] + walled_v[1:, :-1] + walled_v[:-1, 1:] + walled_v[1:, 1:]) / 4
        mean_u = (walled_u[:-1, :-1] + walled_u[1:, :-1] + walled_u[:-1, 1:] + walled_u[1:, 1:]) / 4
        u = bilinear(*corners(jnp.pad(u, 1), *traced_back(u, mean_v)))
        v = bilinear(*corners(jnp.pad(v, 1), *traced_back(mean_u, v)))
        v = v + data.BUOYANCY * (s[:, 1:] + s[:, :-1]) / 2
        u, v, _ = project(u, v)
        return s, u, v

    return step


def traced_back(u: jax.Array, v: jax.Array) -> tuple[jax.Array, jax.Array]:
    i, j = (lax.broadcasted_iota(jnp.float32, u.shape, axis) for axis in (0, 1))
    return i - u, j - v


def advected_smoke(s: jax.Array, cu: jax.Array, cv: jax.Array, corners) -> jax.Array:
    """MacCormack with the result clipped to the four values around the look-up."""
    values, fx, fy = corners(jnp.pad(s, 1, mode="edge"), *traced_back(cu, cv))
    forward = bilinear(values, fx, fy)
    backward = bilinear(*corners(jnp.pad(forward, 1, mode="edge"), *traced_back(-cu, -cv)))
    low = jnp.minimum(jnp.minimum(values[0], values[1]), jnp.minimum(values[2], values[3]))
    high = jnp.maximum(jnp.maximum(values[0], values[1]), jnp.maximum(values[2], values[3]))
    return jnp.minimum(jnp.maximum(forward + (s - backward) / 2, low), high)


def located(padded: jax.Array, x: jax.Array, y: jax.Array):
    """Lower cell indices and weights of points; index 0 is the first sample inside the padding."""
    nx, ny = padded.shape
    x, y = jnp.clip(x + 1, 0, nx - 1), jnp.clip(y + 1, 0, ny - 1)
    i = jnp.minimum(x.astype(jnp.int32), nx - 2)
    j = jnp.minimum(y.astype(jnp.int32), ny - 2)
    return i, j, x - i.astype(jnp.float32), y - j.astype(jnp.float32)


def four_gathers(padded: jax.Array, x: jax.Array, y: jax.Array):
    i, j, fx, fy = located(padded, x, y)
    flat, ny = padded.ravel(), padded.shape[1]
    k = i * ny + j
    values = [flat.at[k + offset].get(mode="promise_in_bounds") for offset in (0, 1, ny, ny + 1)]
    return values, fx, fy


def window_gather(padded: jax.Array, x: jax.Array, y: jax.Array):
    """One gather of 2×2 windows, so that its derivative is one scatter."""
    i, j, fx, fy = located(padded, x, y)
    windows = lax.gather(
        padded,
        jnp.stack([i, j], -1),
        lax.GatherDimensionNumbers(offset_dims=(2, 3), collapsed_slice_dims=(), start_index_map=(0, 1)),
        slice_sizes=(2, 2),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )
    return [windows[..., a, b] for a in (0, 1) for b in (0, 1)], fx, fy


def bilinear(values: list[jax.Array], fx: jax.Array, fy: jax.Array) -> jax.Array:
    low = values[0] + fy * (values[1] - values[0])
    high = values[2] + fy * (values[3] - values[2])
    return low + fx * (high - low)


def smoke_step(n: int, solver, corners):
    def build():
        step = jax.jit(step_with(solver(n, "closed"), corners))
        state = [jnp.asarray(array) for array in data.smoke(n)]
        return lambda: step(*state)

    return build


def smoke_gradient(n: int, corners, remat: bool):
    """Value and gradient with respect to the first velocity of half the squared distance to a target."""

    def build():
        step = step_with(by_matrices(n, "closed"), corners)
        step = jax.checkpoint(step) if remat else step
        s, u, v = (jnp.asarray(array) for array in data.smoke(n))
        target = jnp.asarray(data.target(n))

        def loss(velocity):
            (final, _, _), _ = lax.scan(
                lambda state, _: (step(*state), None), (s, *velocity), length=data.STEPS
            )
            return jnp.sum((final - target) ** 2) / 2

        run = jax.jit(jax.value_and_grad(loss))
        return lambda: run((u, v))

    return build


TASKS = {
    f"smoke step {n}": {
        "gathers, matrices": smoke_step(n, by_matrices, four_gathers),
        "gathers, transform": smoke_step(n, by_transform, four_gathers),
        "windows, matrices": smoke_step(n, by_matrices, window_gather),
    }
    for n in data.SIZES
} | {
    "smoke gradient": {
        "windows": smoke_gradient(64, window_gather, False),
        "windows, remat": smoke_gradient(64, window_gather, True),
        "gathers": smoke_gradient(64, four_gathers, False),
        "gathers, remat": smoke_gradient(64, four_gathers, True),
    }
}
