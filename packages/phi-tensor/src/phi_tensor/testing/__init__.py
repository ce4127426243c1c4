"""Testing helpers: comparison with shapes, gradient checks, convergence orders, random shapes and tensors.

The fixtures `backend`, `rng` and `execution` come with the pytest plugin `phi_tensor.testing.plugin`.
"""

from typing import TYPE_CHECKING, Any

from phi_tensor.testing._assert import assert_close

if TYPE_CHECKING:
    from phi_tensor.testing._gradient import check_gradient as check_gradient
    from phi_tensor.testing._gradient import fitted_order as fitted_order
    from phi_tensor.testing._strategies import boundaries as boundaries
    from phi_tensor.testing._strategies import broadcastable as broadcastable
    from phi_tensor.testing._strategies import dims as dims
    from phi_tensor.testing._strategies import ragged as ragged
    from phi_tensor.testing._strategies import shapes as shapes
    from phi_tensor.testing._strategies import tensors as tensors

_LAZY = {
    "check_gradient": "_gradient",
    "fitted_order": "_gradient",
    **dict.fromkeys(("dims", "shapes", "broadcastable", "tensors", "ragged", "boundaries"), "_strategies"),
}

__all__ = [
    "assert_close",
    "check_gradient",
    "fitted_order",
    "dims",
    "shapes",
    "broadcastable",
    "tensors",
    "ragged",
    "boundaries",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(
            f"`phi_tensor.testing` has no attribute `{name}`. It offers {', '.join(__all__)}."
        )
    from importlib import import_module  # noqa: PLC0415 hypothesis is optional and takes 200 ms

    return getattr(import_module(f"phi_tensor.testing.{_LAZY[name]}"), name)
