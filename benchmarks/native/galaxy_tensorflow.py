"""TensorFlow, compiled by XLA: one step of the thesis' galaxy (figure 3.5), all pairs, explicit Euler."""

import tensorflow as tf

from . import data


def as_written(x: tf.Tensor, v: tf.Tensor, masses: tf.Tensor, dt: float):
    difference = x[:, None, :] - x[None, :, :]
    cubed = tf.reduce_sum(difference**2, -1, keepdims=True) ** 1.5
    pull = masses[None, :, None] * difference
    a = -data.G * tf.reduce_sum(tf.math.divide_no_nan(pull, cubed), 1)
    return x + v * dt, v + a * dt


def by_components(x: tf.Tensor, v: tf.Tensor, masses: tf.Tensor, dt: float):
    differences = [c[:, None] - c[None, :] for c in tf.unstack(x, axis=1)]
    squared = tf.add_n([d * d for d in differences])
    inverse = tf.where(squared == 0, 0.0, tf.math.rsqrt(squared))
    weight = masses[None, :] * (inverse * inverse * inverse)
    a = -data.G * tf.stack([tf.reduce_sum(weight * d, 1) for d in differences], 1)
    return x + v * dt, v + a * dt


def galaxy(step):
    def build():
        x, v, masses = (tf.constant(array) for array in data.bodies())
        run = tf.function(lambda x, v: step(x, v, masses, 0.5), jit_compile=True)
        return lambda: run(x, v)

    return build


TASKS = {"galaxy": {"listing": galaxy(as_written), "components": galaxy(by_components)}}
