"""Networks, optimisers and training that give the same numbers on every backend."""

from phi_learn._optimizers import (
    Adam,
    GradientDescent,
    Optimizer,
    adam,
    gradient_descent,
    sgd,
    update_weights,
)

__all__ = [
    "Adam",
    "GradientDescent",
    "Optimizer",
    "adam",
    "gradient_descent",
    "sgd",
    "update_weights",
]
