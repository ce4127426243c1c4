"""Vectors in two and three dimensions: cross products, rotations; lengths and totals in any.

Components labelled x, y, z keep their meaning in any order: vectors `(z, y, x)` have the same cross products
and rotations as `(x, y, z)`. Other components count in their order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from phi_tensor._create import wrap
from phi_tensor._dim import Dim
from phi_tensor._dim_changes import merged_dim, retyped
from phi_tensor._dim_types import channel, dual, non_batch
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor
from phi_tensor.ops._elementwise import clip, safe_div, where
from phi_tensor.ops._products import norm, squared_norm
from phi_tensor.ops._reductions import sum_
from phi_tensor.ops._structure import as_dim, stack

Matrix = list[list[Any]]


def cross_product(vec1: Any, vec2: Any) -> Tensor:
    """Cross product of vectors in two or three dimensions.

    In 3D (y₁z₂ − z₁y₂, z₁x₂ − x₁z₂, x₁y₂ − y₁x₂). In 2D the component x₁y₂ − y₁x₂ out of the plane; of a
    scalar w, which stands for such a component, and a vector: w × v = (−w y, w x), v × w = (w y, −w x).

    Args:
        vec1: Vector `(…, vector)`, or in 2D a scalar.
        vec2: Likewise.

    >>> import phi_tensor as math
    >>> cross_product(math.vec(x=1.0, y=0.0, z=0.0), math.vec(x=0.0, y=1.0, z=0.0))
    (x=0.0, y=0.0, z=1.0)
    """
    a, b = as_tensor(vec1), as_tensor(vec2)
    dim_a, dim_b = _component_dim(a), _component_dim(b)
    if dim_a is None and dim_b is None:
        raise IncompatibleShapes(
            f"`cross_product` needs a vector, but neither {a.shape} nor {b.shape} has a channel dim."
        )
    dim = merged_dim(dim_a, dim_b) if dim_a and dim_b else cast("Dim", dim_a or dim_b)
    if dim.size not in (2, 3) or (dim.size == 3 and not (dim_a and dim_b)):
        raise IncompatibleShapes(
            f"`cross_product` is defined for two vectors in 2D or 3D, and a scalar and a vector in 2D, but "
            f"found {a.shape} and {b.shape}."
        )
    order = _order(dim)
    u = [a[{dim.name: i}] for i in order] if dim_a else [a]
    v = [b[{dim.name: i}] for i in order] if dim_b else [b]
    if dim.size == 3:
        parts = [u[i - 2] * v[i - 1] - u[i - 1] * v[i - 2] for i in range(3)]
        return _vector(parts, dim)
    if len(u) == len(v):
        return u[0] * v[1] - u[1] * v[0]
    return _vector([-u[0] * v[1], u[0] * v[0]] if dim_b else [u[1] * v[0], -u[0] * v[0]], dim)


def clip_length(
    vec: Any, min_len: Any = 0, max_len: Any = 1, vec_dim: Any = channel, eps: float | None = None
) -> Tensor:
    """Vectors with the same direction and lengths between `min_len` and `max_len`; zero vectors stay zero.

    Args:
        vec: Vector `(…, vector)`.
        min_len: Smallest length.
        max_len: Largest length.
        vec_dim: Component dims.
        eps: Smallest length to divide by, see `norm`: vectors shorter than this are not made longer than
            `min_len`/`eps` times.

    >>> import phi_tensor as math
    >>> clip_length(math.vec(x=3.0, y=4.0), 0, 10)
    (x=3.0, y=4.0)
    """
    value = as_tensor(vec)
    length = norm(value, vec_dim, eps)
    return value * safe_div(clip(length, min_len, max_len), length)


def normalize_to(target: Any, source: Any, epsilon: float | None = 1e-5) -> Tensor:
    """`target`, scaled so that its sum over all but batch dims is that of `source`.

    Args:
        target: Values to scale, with a positive sum.
        source: Values, or their sum as a number.
        epsilon: Sums of `target` below this count as `epsilon`; None divides by any.

    >>> import phi_tensor as math
    >>> normalize_to(math.vec(x=1.0, y=3.0), 8.0)
    (x=2.0, y=6.0)
    """
    value, wanted = as_tensor(target), as_tensor(source)
    total, result = sum_(value, non_batch), sum_(wanted, non_batch)
    return value * (result / (total if epsilon is None else table.MAXIMUM(total, epsilon)))


def rotation_matrix(x: Any, matrix_dim: Shape | str = "vector:c") -> Tensor:
    """Matrix `(…, vector, ~vector)` of a rotation: `rotation_matrix(x) @ v` is the rotated vector.

    Args:
        x: In 2D the angle [rad], from x to y. In 3D the axis times the angle [rad], a vector along `vector`;
            or the angles [rad] of rotations about the axes x, y, z, in this order one after the other, along
            a channel dim `angle`. A rotation matrix is returned as it is.
        matrix_dim: Dim of the components in 2D; in 3D that of `x` (for `angle`: `matrix_dim` with its
            labels).

    >>> import phi_tensor as math
    >>> rotation_matrix(0.0, math.channel(vector="x,y")) @ math.vec(x=1.0, y=2.0)
    (x=1.0, y=2.0)
    """
    value = as_tensor(x)
    dim, entries = _rotation(value, as_dim(matrix_dim))
    if entries is None:
        return value
    column = retyped(dim, dual)
    lines = [stack(_ordered(line, dim), Shape.of((column,)), expand_values=True) for line in entries]
    return stack(_ordered(lines, dim), Shape.of((dim,)), expand_values=True)


def rotate_vector(vector: Any, angle: Any, invert: bool = False, dim: str = "vector") -> Tensor:
    """Vectors rotated about the origin.

    Args:
        vector: Vector `(…, vector)` with two or three components.
        angle: What `rotation_matrix` takes: angle, axis times angle, Euler angles or a matrix; None for none.
        invert: Rotate backwards.
        dim: Component dim.

    >>> import phi_tensor as math
    >>> rotate_vector(math.vec(x=1.0, y=2.0), 0.0)
    (x=1.0, y=2.0)
    """
    value = as_tensor(vector)
    if angle is None:
        return value
    if dim not in value.shape:
        raise IncompatibleShapes(f"`rotate_vector` needs components along `{dim}`, but found {value.shape}.")
    along = value.shape.get_dim(dim)
    of_matrix, entries = _rotation(as_tensor(angle), along)
    if entries is None:
        entries = _entries(as_tensor(angle), of_matrix)
    if along.size != len(entries):
        raise IncompatibleShapes(
            f"`rotate_vector` found {along.size} components of {value.shape}, but a rotation in "
            f"{len(entries)}D. In 3D give the axis times the angle, or one angle per axis along `angle`."
        )
    along = merged_dim(along, of_matrix)
    components = [value[{dim: i}] for i in _order(along)]
    if invert:
        entries = [list(line) for line in zip(*entries, strict=True)]
    rotated = [_total([e * c for e, c in zip(line, components, strict=True)]) for line in entries]
    return _vector(rotated, along)


def _rotation(x: Tensor, dim: Dim) -> tuple[Dim, Matrix | None]:
    """Component dim and entries of the matrix, x before y before z; None if `x` is the matrix itself."""
    dual_name = dual(dim.name).name
    if dual_name in x.shape and dim.name in x.shape:
        found = x.shape.get_dim(dim.name)
        if found.size != x.shape.get_size(dual_name):
            raise IncompatibleShapes(f"A rotation matrix is square, but found {x.shape}.")
        return found, None
    if "angle" in x.shape.channel and x.shape.get_size("angle") == 3:
        angles = x.shape.get_dim("angle")
        components = [x[{"angle": i}] for i in _order(angles)]
        return dim.with_size(3, dim.labels or angles.labels), _euler(components)
    if dim.name in x.shape and x.shape.get_size(dim.name) == 3:
        found = x.shape.get_dim(dim.name)
        return found, _about_axis(x, found)
    if dim.name in x.shape or "angle" in x.shape.channel:
        raise IncompatibleShapes(
            f"`rotation_matrix` takes an angle in 2D, and in 3D a vector along `{dim.name}` or `angle` with "
            f"three components, but found {x.shape}."
        )
    cos, sin = table.COS(x), table.SIN(x)
    return dim if dim.size == 2 else dim.with_size(2), [[cos, -sin], [sin, cos]]


def _euler(angles: Sequence[Tensor]) -> Matrix:
    """R_z · R_y · R_x."""
    (cx, cy, cz), (sx, sy, sz) = [table.COS(a) for a in angles], [table.SIN(a) for a in angles]
    return [
        [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx],
        [sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx],
        [-sy, cy * sx, cy * cx],
    ]


def _about_axis(x: Tensor, dim: Dim) -> Matrix:
    """Rodrigues' formula 1 + f K + g K² with K = x × …, f = sin θ/θ, g = (1 − cos θ)/θ², smooth at θ = 0."""
    kx, ky, kz = (x[{dim.name: i}] for i in _order(dim))
    square = squared_norm(x, dim.name)
    near = square < _NEAR
    theta = table.SQRT(where(near, 1, square))
    f = where(near, _series(square, 1, 6, 20, 42, 72), table.SIN(theta) / theta)
    half = table.SIN(0.5 * theta) / theta
    g = where(near, _series(square, 2, 12, 30, 56, 90), 2 * half * half)
    diagonal = 1 - g * square
    return [
        [diagonal + g * kx * kx, g * kx * ky - f * kz, g * kx * kz + f * ky],
        [g * kx * ky + f * kz, diagonal + g * ky * ky, g * ky * kz - f * kx],
        [g * kx * kz - f * ky, g * ky * kz + f * kx, diagonal + g * kz * kz],
    ]


_NEAR = 0.01
"""Squared angle below which series replace quotients: five terms are exact to 64 bit."""


def _series(square: Tensor, first: int, *ratios: int) -> Tensor:
    """(1 − s/r₁ (1 − s/r₂ (1 − …))) / first for s = `square`, by Horner's rule."""
    total: Any = 1.0
    for ratio in reversed(ratios):
        total = 1 - square * total / ratio
    return total / first


def _entries(matrix: Tensor, dim: Dim) -> Matrix:
    order = _order(dim)
    return [[matrix[{dim.name: i, dual(dim.name).name: j}] for j in order] for i in order]


def _component_dim(x: Tensor) -> Dim | None:
    """The dim `vector`, else the only channel dim; None for scalars."""
    channels = x.shape.channel
    if "vector" in channels:
        return channels.get_dim("vector")
    if channels.rank > 1:
        raise IncompatibleShapes(f"A vector has one component dim, but found {x.shape}. Name it `vector`.")
    return channels.dim if channels else None


def _order(dim: Dim) -> list[int]:
    """Positions of the components in a right-handed order."""
    labels = dim.labels or ()
    positions = list(range(cast("int", dim.size)))
    return (
        sorted(positions, key=lambda i: labels[i]) if labels and set(labels) <= {"x", "y", "z"} else positions
    )


def _ordered(parts: list[Any], dim: Dim) -> list[Any]:
    """Parts in right-handed order, in the order of the labels."""
    order = _order(dim)
    return [parts[order.index(i)] for i in range(len(parts))]


def _vector(parts: list[Any], dim: Dim) -> Tensor:
    return stack([wrap(part) for part in _ordered(parts, dim)], Shape.of((dim,)), expand_values=True)


def _total(terms: list[Any]) -> Any:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total
