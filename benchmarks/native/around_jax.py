"""JAX, jitted: projection around bodies in a closed box by hand-written conjugate gradients."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from . import around_numpy, box_jax, poisson

Solve = Callable[[jax.Array], jax.Array]


def conjugate_gradients(apply: Solve, b: jax.Array, precondition: Solve, rel_tol: float) -> jax.Array:
    """Solution x of A x = b for symmetric A."""
    target = rel_tol * jnp.linalg.norm(b.ravel())
    z = precondition(b)

    def goes_on(state: tuple) -> jax.Array:
        return (jnp.linalg.norm(state[1].ravel()) > target) & (state[4] < 10_000)

    def step(state: tuple) -> tuple:
        x, r, d, rz, count = state
        q = apply(d)
        step = rz / jnp.vdot(d, q)
        x, r = x + step * d, r - step * q
        z = precondition(r)
        new = jnp.vdot(r, z)
        return x, r, z + (new / rz) * d, new, count + 1

    return jax.lax.while_loop(goes_on, step, (jnp.zeros_like(b), b, z, jnp.vdot(b, z), 0))[0]


def projection(grid: around_numpy.Around, box: Solve | None, rel_tol: float):
    """Projection `(*faces) → (*faces, p)` for one region of fluid; without `box`, without preconditioner."""
    assert grid.count == 1
    fluid, opened = jnp.asarray(grid.fluid), tuple(map(jnp.asarray, grid.open))
    cells = grid.sizes[1]

    def without_mean(p: jax.Array) -> jax.Array:
        return (p - jnp.vdot(fluid, p) / cells) * fluid

    def divergence(faces: tuple[jax.Array, ...]) -> jax.Array:
        edges = [[(1, 1) if a == axis else (0, 0) for a in range(fluid.ndim)] for axis in range(fluid.ndim)]
        return sum(jnp.diff(jnp.pad(u, edges[axis]), axis=axis) for axis, u in enumerate(faces))

    def laplace(p: jax.Array) -> jax.Array:
        return -divergence(tuple(o * jnp.diff(p, axis=a) for a, o in enumerate(opened)))

    def precondition(r: jax.Array) -> jax.Array:
        return r if box is None else without_mean(-box(r))

    def project(*faces: jax.Array) -> tuple[jax.Array, ...]:
        imposed = tuple(u * o for u, o in zip(faces, opened, strict=True))
        b = without_mean(-divergence(imposed))
        p = without_mean(conjugate_gradients(laplace, b, precondition, rel_tol))
        corrected = (
            u - o * jnp.diff(p, axis=a) for a, (u, o) in enumerate(zip(imposed, opened, strict=True))
        )
        return (*corrected, p)

    return project


def by_cg(method: str | None, body: str, n: int, rank: int, bits: int = 32):
    """Projection by CG, preconditioned by the direct solution of the box, or not."""

    def build():
        if bits == 64:
            jax.config.update("jax_enable_x64", True)
        grid = around_numpy.Around(body, n, rank, bits)
        box = box_jax.METHODS[method](n, rank, "closed", bits) if method else None
        run = jax.jit(projection(grid, box, poisson.REL_TOL[bits]))
        faces = tuple(map(jnp.asarray, poisson.velocity(n, rank, bits)))
        return lambda: run(*faces)

    return build
