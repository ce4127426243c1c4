"""All that we use of TensorFlow's private modules, in one place: op wrappers, the tape, graphs.

Used by names that have been stable since TensorFlow 2.4; the tests of the backend call each of them.
"""
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false, reportUnknownMemberType=false
# The type stubs know the public names only.

from __future__ import annotations

import os

os.environ.setdefault(
    "TF_CPP_MIN_LOG_LEVEL", "3"
)  # before TensorFlow is imported; what is an error is raised, too

from collections.abc import Callable
from typing import Any

from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import context
from tensorflow.python.eager import record as tape_record
from tensorflow.python.framework import ops as tf_ops
from tensorflow.python.ops import (
    gen_array_ops,
    gen_bitwise_ops,
    gen_manip_ops,
    gen_math_ops,
    gen_nn_ops,
    gen_spectral_ops,
)

arrays: Any = gen_array_ops
bits: Any = gen_bitwise_ops
manip: Any = gen_manip_ops
maths: Any = gen_math_ops
neural: Any = gen_nn_ops
spectral: Any = gen_spectral_ops
record: Any = tape_record

is_eager: Callable[[], bool] = context.executing_eagerly
default_graph: Callable[[], Any] = tf_ops.get_default_graph
has_no_tape: Callable[[], bool] = pywrap_tfe.TFE_Py_TapeSetIsEmpty
is_taped: Callable[[list[Any]], int] = pywrap_tfe.TFE_Py_TapeSetPossibleGradientTypes
"""Not 0 if a tape or accumulator follows one of the tensors."""
