"""JAX, jitted: one step of the thesis' galaxy (figure 3.5), all pairs, explicit Euler."""

import jax
import jax.numpy as jnp

from . import data


def as_written(x: jax.Array, v: jax.Array, masses: jax.Array, dt: float):
    difference = x[:, None, :] - x[None, :, :]
    cubed = jnp.sum(difference**2, -1, keepdims=True) ** 1.5
    pull = masses[None, :, None] * difference
    a = -data.G * jnp.sum(jnp.where(cubed == 0, 0, pull / jnp.where(cubed == 0, 1, cubed)), 1)
    return x + v * dt, v + a * dt


def by_components(x: jax.Array, v: jax.Array, masses: jax.Array, dt: float):
    columns = [x[:, i] for i in range(x.shape[1])]
    differences = [c[:, None] - c[None, :] for c in columns]
    squared = sum(d * d for d in differences)
    inverse = jnp.where(squared == 0, 0, jax.lax.rsqrt(squared))
    weight = masses[None, :] * (inverse * inverse * inverse)
    a = -data.G * jnp.stack([jnp.sum(weight * d, 1) for d in differences], 1)
    return x + v * dt, v + a * dt


def galaxy(step):
    def build():
        x, v, masses = (jnp.asarray(array) for array in data.bodies())
        run = jax.jit(lambda x, v: step(x, v, masses, 0.5))
        return lambda: run(x, v)

    return build


TASKS = {"galaxy": {"listing": galaxy(as_written), "components": galaxy(by_components)}}
