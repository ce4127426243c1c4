"""TensorFlow with XLA: smoke step and gradient through 32 of them; the method is told in `smoke_numpy`."""

import tensorflow as tf

from . import data
from .pressure_tensorflow import by_matrices, by_transform, projection

WALLS_X, WALLS_Y, ALL = [[1, 1], [0, 0]], [[0, 0], [1, 1]], [[1, 1], [1, 1]]


def step_with(solve):
    """Step `(s, u, v) → (s, u, v)` with a pressure solver."""
    project = projection(solve, "closed")

    def step(s: tf.Tensor, u: tf.Tensor, v: tf.Tensor) -> tuple[tf.Tensor, ...]:
        walled_u, walled_v = tf.pad(u, WALLS_X), tf.pad(v, WALLS_Y)
        s = advected_smoke(s, (walled_u[1:] + walled_u[:-1]) / 2, (walled_v[:, 1:] + walled_v[:, :-1]) / 2)
        mean_v = (walled_v[:-1, :-1] + walled_v[1:, :-1] + walled_v[:-1, 1:] + walled_v[1:, 1:]) / 4
        mean_u = (walled_u[:-1, :-1] + walled_u[1:, :-1] + walled_u[:-1, 1:] + walled_u[1:, 1:]) / 4
        u = bilinear(*corners(tf.pad(u, ALL), *traced_back(u, mean_v)))
        v = bilinear(*corners(tf.pad(v, ALL), *traced_back(mean_u, v)))
        v = v + data.BUOYANCY * (s[:, 1:] + s[:, :-1]) / 2
        u, v, _ = project(u, v)
        return s, u, v

    return step


def traced_back(u: tf.Tensor, v: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    i, j = (tf.range(size, dtype=tf.float32) for size in u.shape)
    return i[:, None] - u, j[None, :] - v


def advected_smoke(s: tf.Tensor, cu: tf.Tensor, cv: tf.Tensor) -> tf.Tensor:
    """MacCormack with the result clipped to the four values around the look-up."""
    values, fx, fy = corners(tf.pad(s, ALL, mode="SYMMETRIC"), *traced_back(cu, cv))
    forward = bilinear(values, fx, fy)
    backward = bilinear(*corners(tf.pad(forward, ALL, mode="SYMMETRIC"), *traced_back(-cu, -cv)))
    low = tf.minimum(tf.minimum(values[0], values[1]), tf.minimum(values[2], values[3]))
    high = tf.maximum(tf.maximum(values[0], values[1]), tf.maximum(values[2], values[3]))
    return tf.minimum(tf.maximum(forward + (s - backward) / 2, low), high)


def corners(padded: tf.Tensor, x: tf.Tensor, y: tf.Tensor):
    """Four values around `(x, y)`, weights of the upper ones; index 0 is the first inside the padding."""
    nx, ny = padded.shape
    x, y = tf.clip_by_value(x + 1, 0.0, nx - 1.0), tf.clip_by_value(y + 1, 0.0, ny - 1.0)
    i, j = tf.minimum(tf.cast(x, tf.int32), nx - 2), tf.minimum(tf.cast(y, tf.int32), ny - 2)
    flat, k = tf.reshape(padded, [-1]), i * ny + j
    values = [tf.gather(flat, k + offset) for offset in (0, 1, ny, ny + 1)]
    return values, x - tf.cast(i, tf.float32), y - tf.cast(j, tf.float32)


def bilinear(values: list[tf.Tensor], fx: tf.Tensor, fy: tf.Tensor) -> tf.Tensor:
    low = values[0] + fy * (values[1] - values[0])
    high = values[2] + fy * (values[3] - values[2])
    return low + fx * (high - low)


def smoke_step(n: int, solver):
    def build():
        run = tf.function(step_with(solver(n, "closed")), jit_compile=True)
        state = [tf.constant(array) for array in data.smoke(n)]
        return lambda: run(*state)

    return build


def gradient_by_vjp(n: int = 64):
    """Loop over a compiled step, then back over a compiled step-vjp that repeats the forward pass."""
    step = step_with(by_matrices(n, "closed"))
    run, state = tf.function(step, jit_compile=True), tuple(tf.constant(array) for array in data.smoke(n))
    target = tf.constant(data.target(n))
    zeros = tf.zeros_like(state[1]), tf.zeros_like(state[2])

    @tf.function(jit_compile=True)
    def back(previous, cotangents):
        with tf.GradientTape() as tape:
            tape.watch(previous)
            results = step(*previous)
        return tape.gradient(results, previous, cotangents)

    def value_and_gradient():
        states = [state]
        for _ in range(data.STEPS):
            states.append(run(*states[-1]))
        difference = states.pop()[0] - target
        cotangents = difference, *zeros
        for previous in reversed(states):
            cotangents = back(previous, cotangents)
        return tf.reduce_sum(difference**2) / 2, cotangents[1], cotangents[2]

    return value_and_gradient


def gradient_by_loop(n: int = 64):
    """One XLA graph: a `while_loop` of known length and its own derivative."""
    step = step_with(by_matrices(n, "closed"))
    s, u, v = (tf.constant(array) for array in data.smoke(n))
    target = tf.constant(data.target(n))

    @tf.function(jit_compile=True)
    def run(u, v):
        with tf.GradientTape() as tape:
            tape.watch((u, v))
            _, final, _, _ = tf.while_loop(
                lambda k, *_: k < data.STEPS,
                lambda k, *state: (k + 1, *step(*state)),
                (tf.constant(0), s, u, v),
                maximum_iterations=data.STEPS,
            )
            loss = tf.reduce_sum((final - target) ** 2) / 2
        return loss, *tape.gradient(loss, (u, v))

    return lambda: run(u, v)


TASKS = {
    f"smoke step {n}": {"matrices": smoke_step(n, by_matrices), "transform": smoke_step(n, by_transform)}
    for n in data.SIZES
} | {"smoke gradient": {"vjp": gradient_by_vjp, "loop": gradient_by_loop}}
