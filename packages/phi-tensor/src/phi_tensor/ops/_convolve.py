"""Convolution by names: which kernel entry meets which value, and what lies outside."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, NamedTuple, cast

from phi_tensor._context import local_settings
from phi_tensor._dim import Dim
from phi_tensor._dim_changes import int_size
from phi_tensor._dim_types import DimType, dual, spatial
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._extrapolation import NONE, ZERO, Extrapolation
from phi_tensor._extrapolation_sides import Chosen, as_extrapolation
from phi_tensor._plan import PlanCall
from phi_tensor._shape import Shape
from phi_tensor._tensor import Tensor
from phi_tensor._trees import tree_map
from phi_tensor.ops import _table as table
from phi_tensor.ops._call import as_tensor, is_container
from phi_tensor.ops._convolution import Window
from phi_tensor.ops._padding import pad
from phi_tensor.ops._structure import stack
from phi_tensor.ops._unpadding import unpad

Size = Literal["same", "valid", "full"]


def convolve(
    value: Any,
    kernel: Any,
    size: Size | Shape = "same",
    extrapolation: Any = 0,
    dims: Any = spatial,
    strides: int | dict[str, int] = 1,
    transpose: bool = False,
    dilations: int | dict[str, int] = 1,
) -> Any:
    """Convolution of values with a kernel: yᵢ = Σₖ wₖ x with x at i + k − ⌊n/2⌋ for n kernel entries.

    As everywhere in machine learning the kernel is not reversed (a cross-correlation): entry n // 2 weighs
    the value itself, later ones weigh later values. By name, dims of the kernel are

    - along `dims`: entries of the window that slides over the value;
    - dual: contracted with the dim of that name of the value, as by `A @ v`, whatever its type;
    - shared with the value (batch dims, groups of channels): each entry has its own kernel;
    - all others: outputs, which the result gets.

    All other dims of the value are computed independently.

    Args:
        value: Values `(…, dims…)`, or a tree of them.
        kernel: Weights `(dims…, …)`.
        size: `same`: as many entries as `value`; `valid`: only where the kernel fits in; `full`: wherever
            both overlap; or a shape with the sizes of the result, beginning where `same` does.
        extrapolation: Rule for values outside; None: there are none, as by `valid`.
        dims: Along which dims of the kernel.
        strides: With stride s every s-th entry is computed, from the first: ⌈n/s⌉ of n. Number, or by name.
        transpose: Apply the transposed map along `dims` instead, that of `value`'s to the larger size:
            Σ y · convolve(x, w) = Σ x · convolve(y, wᵀ, transpose=True), where wᵀ is w with its dual dims
            and outputs exchanged. `same` gives s · n entries of n; `valid` and `full` the fewest that
            they give n of. Constants outside count as 0.
        dilations: Distance of the kernel's entries. Number, or by name.

    Returns:
        Values in the order of storage that the library's convolution gives, so that chains of them do not
        rearrange anything.

    Raises:
        IncompatibleShapes: A dim of the kernel is missing in the value; sizes of contracted dims differ; the
            kernel does not fit into the value.

    >>> import phi_tensor as math
    >>> x = math.wrap([1, 2, 3, 4], math.spatial("x"))
    >>> convolve(x, math.wrap([0, 0, 1], math.spatial("x")), extrapolation="periodic")
    (2, 3, 4, 1) along (x:s=4) int64
    """
    if not isinstance(value, Tensor) and is_container(value):
        return tree_map(
            lambda x: convolve(x, kernel, size, extrapolation, dims, strides, transpose, dilations), value
        )
    x, w = as_tensor(value), as_tensor(kernel)
    key = None
    if type(size) is str and type(extrapolation) in (int, str) and type(dims) in (str, DimType):
        options = (size, extrapolation, dims, _hashable(strides), transpose, _hashable(dilations))
        key = (local_settings(), x.layout, w.layout, *options)
        plan = table.CONVOLVE.plans.get(key)
        if plan is not None:
            return plan(x, w)
    along: Any = tuple(cast("list[Any]", dims)) if isinstance(dims, (list, set)) else dims
    settings = (size, along, _hashable(strides), transpose, _hashable(dilations))
    rule = None if type(extrapolation) is int and extrapolation == 0 else as_extrapolation(extrapolation)
    if rule is None or rule == ZERO:
        places = _places(x.shape.dims, w.shape.dims, None, *settings)
    else:
        places = _places(x.shape.dims, w.shape.dims, _absent(rule, w.shape.only(along)), *settings)
    if places.varying is not None:
        parts = [
            convolve(x[entry], w[entry], size, extrapolation, dims, strides, transpose, dilations)
            for entry in places.varying.meshgrid()
        ]
        return stack(parts, places.varying)
    if rule is None or rule == ZERO or not places.margins:
        compose: Callable[[], PlanCall] = lambda: table.CONVOLVE.plan(  # noqa: E731 typed by its name
            x.layout, w.layout, windows=places.whole, transposed=transpose
        )
        return (compose() if key is None else table.CONVOLVE.composed(key, compose))(x, w)
    if transpose:
        wide = table.CONVOLVE(x, w, windows=places.inner, transposed=True)
        return unpad(wide, places.margins, rule)
    return table.CONVOLVE(pad(x, places.margins, rule), w, windows=places.inner, transposed=False)


Steps = int | tuple[tuple[str, int], ...]
Absent = tuple[tuple[bool, bool], ...]


def _hashable(steps: int | dict[str, int]) -> Steps:
    return tuple(steps.items()) if isinstance(steps, dict) else steps


def _absent(rule: Extrapolation, dims: Shape) -> Absent:
    """Per dim, whether the rule says that nothing is below and above."""
    if rule.differs_by_component or isinstance(rule, Chosen):
        return ((False, False),) * dims.rank
    return tuple((rule.side(name, False) == NONE, rule.side(name, True) == NONE) for name in dims.names)


class _Places(NamedTuple):
    """Where a kernel meets values.

    Attributes:
        whole: Windows in values with zeros around.
        margins: How many values the rule adds below and above.
        inner: Windows in values with these.
        varying: Dim over which the kernel's size varies, or None.
    """

    whole: tuple[Window, ...]
    margins: dict[str, tuple[int, int]]
    inner: tuple[Window, ...]
    varying: Shape | None


@lru_cache(1024)
def _places(
    value: tuple[Dim, ...],
    kernel: tuple[Dim, ...],
    absent: Absent | None,
    size: Size | Shape,
    dims: Any,
    strides: Steps,
    transposed: bool,
    dilations: Steps,
) -> _Places:
    shape, window = Shape.of(value), Shape.of(kernel)
    chosen = window.only(dims)
    slides: list[_Slide] = []
    for name, missing in zip(chosen.names, absent or ((False, False),) * chosen.rank, strict=True):
        if chosen.get_dim_type(name) is dual:
            continue
        _check(shape, window, name)
        if window.get_dim(name).over:
            return _Places((), {}, (), window[window.get_dim(name).over[0]])
        steps = _of_dim(strides, name), _of_dim(dilations, name)
        slides.append(_Slide(shape.get_dim(name), window.get_dim(name), *steps, missing))
    extents = [_extent(slide, size, transposed) for slide in slides]
    pairs = list(zip(slides, extents, strict=True))
    return _Places(
        tuple(slide.window(low, up + more) for slide, (low, up, more) in pairs),
        {slide.value.name: (low, up) for slide, (low, up, _) in pairs if low or up},
        tuple(slide.window(0, more) for slide, (_, _, more) in pairs),
        None,
    )


class _Slide(NamedTuple):
    """A kernel along one dim."""

    value: Dim
    kernel: Dim
    stride: int
    dilation: int
    absent: tuple[bool, bool]

    def window(self, low: int, up: int) -> Window:
        return Window(self.value.name, self.stride, self.dilation, low, up)


def _extent(slide: _Slide, size: Size | Shape, transposed: bool) -> tuple[int, int, int]:
    """How many outside values there are below and above, and how many results more are left out above."""
    dim, kernel, stride, dilation, absent = slide
    reach = (int_size(kernel) - 1) * dilation
    low = (reach + 1) // 2
    if isinstance(size, Shape):
        if dim.name not in size:
            raise IncompatibleShapes(
                f"`convolve` needs the size of the result along `{dim.name}`, but `size` is {size}. Add it."
            )
        n, asked = int_size(dim), int_size(size.get_dim(dim.name))
        if not transposed:
            return low, (asked - 1) * stride + 1 + reach - n - low, 0
        if -(-asked // stride) != n:
            raise IncompatibleShapes(
                f"`convolve` with stride {stride} makes {-(-asked // stride)} entries of the {asked} in "
                f"`size` along `{dim.name}`, but the value has {n}. Ask for {(n - 1) * stride + 1} to "
                f"{n * stride}."
            )
        return low, reach - low, (n - 1) * stride + 1 - asked
    if size not in ("same", "valid", "full"):
        raise ValueError(f"`size` of `convolve` is 'same', 'valid', 'full' or a shape, but found {size!r}.")
    margins = {"same": (low, reach - low), "valid": (0, 0), "full": (reach, reach)}[size]
    below, above = (0 if missing else margin for margin, missing in zip(margins, absent, strict=True))
    more = 1 - stride if transposed and size == "same" and (below, above) == margins else 0
    return below, above, more


def _of_dim(steps: Steps, name: str) -> int:
    number = dict(steps).get(name, 1) if isinstance(steps, tuple) else steps
    if not isinstance(number, int) or number < 1:  # pyright: ignore[reportUnnecessaryIsInstance] from users
        raise ValueError(
            f"`strides` and `dilations` of `convolve` are positive ints, but found {steps!r}. Pass e.g. 2."
        )
    return number


def _check(value: Shape, kernel: Shape, name: str) -> None:
    if name not in value:
        raise IncompatibleShapes(
            f"The kernel of `convolve` slides along `{name}`, which is missing in the value {value}. Name "
            f"the dims to slide along with `dims`, or rename the kernel's."
        )
    if value.get_dim_type(name) is not kernel.get_dim_type(name):
        raise IncompatibleShapes(
            f"Dim `{name}` is {value.get_dim_type(name)} in the value of `convolve` and "
            f"{kernel.get_dim_type(name)} in the kernel. Retype one of them with `rename_dims`."
        )
