"""TensorFlow on small arrays: eager arithmetic and reductions, and the call of a compiled function."""

import tensorflow as tf

from . import data


def arithmetic(name: str):
    a, b = (tf.constant(g) for g in data.grids())
    row = b[:, 0]
    return {
        "same": lambda: lambda: a + b,
        "raw": lambda: lambda: tf.raw_ops.AddV2(x=a, y=b),
        "missing": lambda: lambda: a + row[:, None],
        "expand": lambda: lambda: a + tf.expand_dims(row, 1),
        "transposed": lambda: lambda: a + tf.transpose(b),
        "sum": lambda: lambda: tf.reduce_sum(a, 0),
    }[name]


def jit_call():
    a, b = (tf.constant(g) for g in data.grids())
    run = tf.function(lambda a, b: (a + b) * a - b, jit_compile=True)
    return lambda: run(a, b)


def concrete_call():
    a, b = (tf.constant(g) for g in data.grids())
    run = tf.function(lambda a, b: (a + b) * a - b, jit_compile=True).get_concrete_function(a, b)
    return lambda: run(a, b)


TASKS = {
    "add same dims": {"plus": arithmetic("same"), "raw": arithmetic("raw")},
    "add missing dim": {"index": arithmetic("missing"), "expand": arithmetic("expand")},
    "add transposed dim": {"plus": arithmetic("transposed")},
    "sum one dim": {"function": arithmetic("sum")},
    "jit call": {"function": jit_call, "concrete": concrete_call},
}
