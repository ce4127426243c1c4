"""Losses: one number per batch entry, summed over all tensors of a tree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from phi_tensor._create import arange
from phi_tensor._dim_types import channel, non_batch
from phi_tensor._errors import IncompatibleShapes, Unsupported
from phi_tensor._hidden import report
from phi_tensor._tensor import Tensor
from phi_tensor._trees import flatten
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import abs_square, where
from phi_tensor.ops._products import squared_norm
from phi_tensor.ops._reductions import mean, reduced_names, sum_
from phi_tensor.ops._signal import fft, fftfreq
from phi_tensor.ops._statistics import log_sum_exp


def l2_loss(x: Any, reduce: Any = non_batch) -> Any:
    """½ Σ|x|² over all but batch dims; sums over all tensors of a tree.

    >>> import phi_tensor as math
    >>> l2_loss(math.vec(x=3.0, y=4.0))
    12.5
    """
    return _over_tree(lambda leaf: 0.5 * sum_(abs_square(leaf), reduce), x)


def l1_loss(x: Any, reduce: Any = non_batch) -> Any:
    """Σ|x| over all but batch dims; sums over all tensors of a tree.

    >>> import phi_tensor as math
    >>> l1_loss(math.vec(x=3.0, y=-4.0))
    7.0
    """
    return _over_tree(lambda leaf: sum_(table.ABS(leaf), reduce), x)


def huber_loss(x: Any, delta: Any = 1, reduce: Any = non_batch) -> Any:
    """Σ ½|x|² where |x| ≤ δ, δ(|x| − ½δ) beyond, over all but batch dims; sums over all tensors of a tree.

    Args:
        x: Tensor or tree, typically `actual - target`.
        delta: Distance δ from which on the loss is linear.
        reduce: Dims to sum over.

    Reference: Huber, *Robust Estimation of a Location Parameter*, Ann. Math. Statist. 35 (1964).

    >>> import phi_tensor as math
    >>> huber_loss(math.vec(x=0.5, y=-2.0))
    1.625
    """

    def loss(leaf: Tensor) -> Tensor:
        distance = table.ABS(leaf)
        limited = table.MINIMUM(distance, as_tensor(delta))
        return sum_(limited * (distance - 0.5 * limited), reduce)

    return _over_tree(loss, x)


def frequency_loss(
    x: Any, frequency_falloff: float = 100, threshold: float = 1e-5, ignore_mean: bool = False, n: int = 2
) -> Any:
    """Loss of the Fourier transform x̂ over the spatial dims that weighs low frequencies more than high ones.

    With a = √max(|x̂·exp(−½ k²·falloff²)|², threshold) for frequencies k it is ½ Σa² (n = 2) or Σa (n = 1)
    over all but batch dims, summed over all tensors of a tree.

    Args:
        x: Tensor or tree, typically `actual - target`.
        frequency_falloff: How fast the weight of frequencies decreases; 0 weighs all equally.
        threshold: Weighted squares below this value count as this value and have no derivative.
        ignore_mean: Leave out frequency 0.
        n: 2 for squares, 1 for magnitudes.

    >>> import phi_tensor as math
    >>> frequency_loss(math.ones(math.spatial(x=4)), threshold=0)
    8.0
    """
    if n not in (1, 2):
        raise IncompatibleShapes(
            f"`frequency_loss` sums magnitudes (`n=1`) or squares (`n=2`), but found n={n}."
        )

    def loss(leaf: Tensor) -> Tensor:
        grid = leaf.shape.spatial
        if not grid:
            raise IncompatibleShapes(
                f"`frequency_loss` transforms spatial dims, but found {leaf.shape}. Use `l2_loss`, or retype "
                f"a dim with `rename_dims`."
            )
        if not grid.is_uniform:
            raise Unsupported(
                f"`frequency_loss` of {leaf.layout!r} would mix different frequencies. Sum the losses of the "
                f"slices along the dim where sizes vary."
            )
        if ignore_mean:
            leaf = leaf - mean(leaf)
        weights = table.EXP(-0.5 * frequency_falloff**2 * squared_norm(fftfreq(grid), "vector"))
        squares = table.MAXIMUM(abs_square(fft(leaf, grid.names) * weights), threshold)
        if n == 2:
            return 0.5 * sum_(squares)
        zero = squares == 0
        return sum_(where(zero, 0, table.SQRT(where(zero, 1, squares))))

    return _over_tree(loss, x)


def cross_entropy_loss(logits: Any, target: Any, classes: Any = channel, reduce: Any = non_batch) -> Any:
    """−Σ p log softmax(logits) over all but batch dims, without overflow; sums over all tensors of a tree.

    Args:
        logits: Tensor or tree: unnormalised logarithms of the predicted probabilities.
        target: Wanted probabilities p with the dim `classes`; or positions of the wanted classes, ints
            without that dim. A tree like `logits`.
        classes: The dim that lists the classes.
        reduce: Dims to sum over, the remaining ones of the loss per element.

    Raises:
        IncompatibleShapes: `logits` has not exactly one dim `classes`, or `target` is neither of the two.
        IndexError: A position is none of the classes (found out as late as `check` says, see `checked`).

    >>> import phi_tensor as math
    >>> round(cross_entropy_loss(math.vec(cat=0.0, dog=0.0), math.vec(cat=1.0, dog=0.0)).item(), 4)
    0.6931
    """
    leaves, structure = flatten(logits, "value")
    targets, other = flatten(target, "value")
    if structure.kind == "static" or other.kind == "static":
        leaves, targets = [as_tensor(logits)], [as_tensor(target)]
    if len(leaves) != len(targets):
        raise IncompatibleShapes(
            f"`cross_entropy_loss` needs a target for each tensor of logits, but found {len(targets)} for "
            f"{len(leaves)}."
        )
    total: Any = 0
    for leaf, wanted in zip(leaves, targets, strict=True):
        total = _cross_entropy(leaf, wanted, classes, reduce) + total
    return total


def _cross_entropy(logits: Tensor, target: Tensor, classes: Any, reduce: Any) -> Tensor:
    names = reduced_names(logits.shape, classes, "cross_entropy_loss")
    if len(names) != 1:
        raise IncompatibleShapes(
            f"`cross_entropy_loss` needs one dim that lists the classes, but found {names} in "
            f"{logits.shape}. Name it with `classes`."
        )
    name = names[0]
    if name not in target.shape:
        if target.dtype.kind is not int:
            raise IncompatibleShapes(
                f"Targets are probabilities with the dim `{name}` or int positions of classes, but found "
                f"{target.dtype} with {target.shape}."
            )
        count = logits.shape.get_size(name)
        report(
            (target < 0) | (target >= count),
            lambda _: IndexError(
                f"`cross_entropy_loss` found a target that is not one of the classes 0 to {count} − 1. Leave "
                f"out unlabelled elements with `boolean_mask`, or give them probabilities 0."
            ),
        )
        target = arange(logits.shape[name], backend=logits.backend) == target
    missing = log_sum_exp(logits, name) - logits
    impossible = (target == 0) & table.ISINF(missing)  # 0·∞ is 0 here
    return sum_(sum_(where(impossible, 0, missing) * target, name), reduce)


def _over_tree(f: Callable[[Tensor], Tensor], x: Any) -> Any:
    leaves, structure = flatten(x, "value")
    if not leaves:
        if structure.kind != "static":
            raise IncompatibleShapes(f"A loss needs at least one tensor, but {x!r} holds none.")
        leaves = [as_tensor(x)]
    total = f(leaves[0])
    for leaf in leaves[1:]:
        total = total + f(leaf)
    return total
