"""The tensor: native arrays and the interned description of how they are stored.

There is no other tensor class.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from phi_tensor import _hidden, _numpy_functions, _read
from phi_tensor._bound_dim import BoundDim
from phi_tensor._context import local_settings
from phi_tensor._dim import KNOWN_NAMES, suggestion
from phi_tensor._dim_types import non_batch
from phi_tensor._dtype import DType
from phi_tensor._errors import IncompatibleShapes
from phi_tensor._shape import shape_of
from phi_tensor.layouts._layout import NUMBERS, Layout, Parts, number_layout
from phi_tensor.ops import _table as table

if TYPE_CHECKING:
    from phi_tensor._plan import Row
    from phi_tensor._shape import Shape
    from phi_tensor.backends._backend import Backend, ComputeDevice

TensorLike = "Tensor | complex | npt.ArrayLike"


def _binary(row: Row) -> Callable[[Tensor, Any], Tensor]:
    plans = row.plans

    def method(self: Tensor, other: Any) -> Tensor:
        if type(other) is Tensor:
            plan = plans.get((self.layout, other.layout, local_settings()))
        else:
            plan = plans.get((self.layout, NUMBERS.get(type(other)), local_settings()))
        try:
            return binary(row, self, other) if plan is None else plan(self, other)
        except OverflowError:
            return row(self, other)  # raises our error

    return method


def _power(row: Row) -> Callable[[Tensor, Any], Tensor]:
    """Like `_binary`; plans depend on the value of constant exponents."""
    plans = row.plans

    def method(self: Tensor, other: Any) -> Tensor:
        plan = plans.get((self.layout, other.layout, local_settings())) if type(other) is Tensor else None
        return binary(row, self, other) if plan is None else plan(self, other)

    return method


def _reflected(row: Row) -> Callable[[Tensor, Any], Tensor]:
    def method(self: Tensor, other: Any) -> Tensor:
        return binary(row, other, self)

    return method


def _unary(row: Row) -> Callable[[Tensor], Tensor]:
    plans = row.plans

    def method(self: Tensor) -> Tensor:
        plan = plans.get((self.layout, local_settings()))
        return row(self) if plan is None else plan(self)

    return method


def binary(row: Row, a: Any, b: Any) -> Any:
    """Result of an operation on any two operands, `NotImplemented` if one handles tensors itself."""
    key = (_operand_layout(row, a), _operand_layout(row, b), local_settings())
    if None in key[:2]:
        a, b = _as_operand(a, b), _as_operand(b, a)
        return NotImplemented if a is None or b is None else row(a, b)
    plan = row.plans.get(key) or row.make(key, cast("tuple[Layout, ...]", key[:2]), {})
    try:
        return plan(a, b)
    except OverflowError:
        return row(a, b)  # raises our error


def _operand_layout(row: Row, x: Any) -> Layout | None:
    if type(x) is Tensor:
        return x.layout
    if type(x) in NUMBERS:
        return number_layout(type(x), x) if row.name == "pow" else NUMBERS[type(x)]
    return None


def _as_operand(x: Any, other: Any) -> Tensor | complex | None:
    """`x` as a tensor or number; sequences and unnamed arrays take the channel dims of the other operand."""
    if type(x) is Tensor or type(x) in NUMBERS:
        return x
    return _read.operand(x, other)


class Tensor:
    """Numbers along named, typed dims, on any backend. Immutable.

    Operators align their operands by dim name; dims that one operand lacks are added. The float type of every
    result is the context's (`precision`). `tensor.x[1:-1]` slices dim `x`, `tensor.vector['y']` selects a
    label.

    Tensors are made by `wrap`, `tensor`, `zeros`, …, not by calling this class.

    Attributes:
        layout: How the numbers are stored.
        natives: The native arrays.
    """

    __slots__ = ("__weakref__", "_block", "layout", "natives")

    layout: Layout
    natives: tuple[Any, ...]

    def __init__(self, layout: Layout, natives: tuple[Any, ...]) -> None:
        self.layout = layout
        self.natives = natives

    # --- description

    @property
    def shape(self) -> Shape:
        """Dims with names, types, sizes and labels."""
        return self.layout.shape

    @property
    def dtype(self) -> DType:
        """Element type."""
        return self.layout.dtype

    @property
    def backend(self) -> Backend:
        """Library that holds the numbers."""
        return self.layout.backend

    @property
    def rank(self) -> int:
        """Number of dims [-]."""
        return self.layout.shape.rank

    @property
    def device(self) -> ComputeDevice:
        """Device that holds the numbers."""
        return self.layout.backend.device(self.natives[0])

    @property
    def available(self) -> bool:
        """False while the tensor is traced or differentiated and has no numbers yet."""
        return all(map(self.layout.backend.is_concrete, self.natives))

    # --- access to the numbers

    def native(self, order: str | Sequence[Any] | Shape | None = None) -> Any:
        """Array of the tensor's library with axes in the given order; of sparse matrices its sparse array.

        Args:
            order: Comma list or sequence of dims; an entry that is itself a sequence, shape or filter is
                packed into one axis. May be omitted for at most one dim. All dims must be listed.

        Raises:
            IncompatibleShapes: Dims are missing in `order`, sizes vary.
        """
        return _read.native(self, order)

    def numpy(self, order: str | Sequence[Any] | Shape | None = None) -> npt.NDArray[Any]:
        """NumPy array with axes in the given order (see `native`); SciPy's of sparse matrices.

        Shares memory where possible.
        """
        _hidden.raise_pending()
        return _read.numpy(self, order)

    def item(self) -> Any:
        """The only element as a Python number."""
        if self.shape.volume != 1:
            raise IncompatibleShapes(
                f"`item()` needs exactly one element, but the tensor has shape {self.shape}. Slice or "
                f"reduce it."
            )
        return self.numpy(self.shape.names).item()

    def __bool__(self) -> bool:
        if self.rank:
            raise IncompatibleShapes(
                f"The truth of a tensor with dims {self.shape} is ambiguous. Reduce it first: "
                f"`value.any()` or `value.all()`."
            )
        return bool(self._scalar("bool"))

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self.dtype.kind is not int:
            raise TypeError(
                f"Only int tensors can be an index, but found dtype {self.dtype}. Use `to_int32(value)`."
            )
        return int(self._scalar("int"))

    def _scalar(self, wanted: str) -> Any:
        if self.rank:
            raise IncompatibleShapes(
                f"`{wanted}(tensor)` needs a tensor without dims, but found {self.shape}. Slice or reduce it."
            )
        return _read.python_number(self, wanted)

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return _numpy_functions.array(self, dtype, copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return _numpy_functions.ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return _numpy_functions.function(func, args, kwargs)

    def __tf_tracing_type__(self, context: object) -> Any:
        """Type for `tf.function`."""
        from phi_tensor.backends._tensorflow_trees import type_of  # noqa: PLC0415 TensorFlow itself asks

        return type_of(self)

    def __tf_flatten__(self) -> tuple[Layout, tuple[Any, ...]]:
        """Structure and arrays for TensorFlow (`tf.nest`, `tf.function`)."""
        return _read.components(self)

    @classmethod
    def __tf_unflatten__(cls, metadata: Layout, components: tuple[Any, ...]) -> Tensor:
        """Tensor of what `__tf_flatten__` returned, with other arrays."""
        return _read.from_components(metadata, components)

    def __dlpack__(self, **kwargs: Any) -> Any:
        return _read.array(self).__dlpack__(**kwargs)

    def __dlpack_device__(self) -> tuple[int, int]:
        return _read.array(self).__dlpack_device__()

    def __len__(self) -> int:
        return int(cast("int", self.shape.size))

    def __iter__(self) -> Iterator[Any]:
        if not self.rank:
            raise TypeError("A number has no entries to iterate over, but found a tensor without dims.")
        return iter(self.numpy())

    # --- dims

    def __getattr__(self, name: str) -> BoundDim[Tensor]:
        if name in Tensor.__slots__:  # of an object that is not made yet
            raise AttributeError(name)
        if name.startswith("_") or (name not in KNOWN_NAMES and name not in self.layout.shape):
            raise AttributeError(
                f"`Tensor` has no attribute `{name}`, and no dim of this name was ever created; this "
                f"tensor has "
                f"{self.layout.shape}.{suggestion(name, (*self.layout.shape.names, *dir(Tensor)))}"
            )
        return BoundDim(self, name)

    def dimension(self, name: str | Shape) -> BoundDim[Tensor]:
        """Accessor of one dim: `tensor.dimension('x')` is `tensor.x`."""
        return BoundDim(self, name if isinstance(name, str) else name.name)

    def __getitem__(self, item: Any) -> Tensor:
        return _read.getitem(self, item)

    def sliced(self, selection: tuple[tuple[str, Any], ...]) -> Tensor:
        """Slice by normalised selections, see `selection_of`."""
        layout = self.layout
        try:
            plan = table.SLICE.plans[layout, selection, local_settings()]
        except KeyError:
            return table.SLICE(self, selection=selection)
        return plan(self)

    def map(
        self,
        function: Callable[..., Any],
        dims: Any = shape_of,
        range: Callable[[int], Iterable[int]] = range,
        unwrap_scalars: bool = True,
        **kwargs: Any,
    ) -> Any:
        """Results of `function` for every slice, side by side; see `map`."""
        from phi_tensor.transforms._map import map_  # noqa: PLC0415 operations need tensors

        return map_(function, self, dims=dims, range=range, unwrap_scalars=unwrap_scalars, **kwargs)

    # --- operators

    __add__ = _binary(table.ADD)
    __radd__ = _reflected(table.ADD)
    __sub__ = _binary(table.SUBTRACT)
    __rsub__ = _reflected(table.SUBTRACT)
    __mul__ = _binary(table.MULTIPLY)
    __rmul__ = _reflected(table.MULTIPLY)
    __truediv__ = _binary(table.DIVIDE)
    __rtruediv__ = _reflected(table.DIVIDE)
    __floordiv__ = _binary(table.FLOOR_DIVIDE)
    __rfloordiv__ = _reflected(table.FLOOR_DIVIDE)
    __mod__ = _binary(table.REMAINDER)
    __rmod__ = _reflected(table.REMAINDER)
    __pow__ = _power(table.POW)
    __rpow__ = _reflected(table.POW)
    __lt__ = _binary(table.LESS)
    __le__ = _binary(table.LESS_EQUAL)
    __gt__ = _binary(table.GREATER)
    __ge__ = _binary(table.GREATER_EQUAL)
    __and__ = _binary(table.BITWISE_AND)
    __rand__ = _reflected(table.BITWISE_AND)
    __or__ = _binary(table.BITWISE_OR)
    __ror__ = _reflected(table.BITWISE_OR)
    __xor__ = _binary(table.BITWISE_XOR)
    __rxor__ = _reflected(table.BITWISE_XOR)
    __lshift__ = _binary(table.LEFT_SHIFT)
    __rlshift__ = _reflected(table.LEFT_SHIFT)
    __rshift__ = _binary(table.RIGHT_SHIFT)
    __rrshift__ = _reflected(table.RIGHT_SHIFT)
    __neg__ = _unary(table.NEGATIVE)
    __abs__ = _unary(table.ABS)
    __invert__ = _unary(table.INVERT)
    __matmul__ = _binary(table.MATMUL)
    __hash__ = object.__hash__

    def __pos__(self) -> Tensor:
        return self

    def __round__(self, ndigits: int | None = None) -> Tensor:
        if ndigits:
            scale = 10.0**ndigits
            return table.ROUND(self * scale) / scale
        return table.ROUND(self)

    def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return self // other, self % other

    def __eq__(self, other: object) -> Any:
        return False if other is None else _equality(table.EQUAL, self, other)

    def __ne__(self, other: object) -> Any:
        return True if other is None else _equality(table.NOT_EQUAL, self, other)

    # --- reductions and parts

    @property
    def real(self) -> Tensor:
        """Real part."""
        return table.REAL(self)

    @property
    def imag(self) -> Tensor:
        """Imaginary part."""
        return table.IMAG(self)

    def sum(self, dim: Any = non_batch) -> Tensor:
        """Sum along `dim`, see `math.sum`."""
        return _reductions().sum_(self, dim)

    def prod(self, dim: Any = non_batch) -> Tensor:
        """Product along `dim`, see `math.prod`."""
        return _reductions().prod(self, dim)

    def mean(self, dim: Any = non_batch, **options: Any) -> Tensor:
        """Mean along `dim`, see `math.mean` for the options."""
        return _reductions().mean(self, dim, **options)

    def max(self, dim: Any = non_batch, key: Tensor | None = None) -> Tensor:
        """Largest element along `dim`, see `math.max`."""
        return _reductions().max_(self, dim, key)

    def min(self, dim: Any = non_batch, key: Tensor | None = None) -> Tensor:
        """Smallest element along `dim`, see `math.min`."""
        return _reductions().min_(self, dim, key)

    def any(self, dim: Any = non_batch) -> Tensor:
        """True if some element along `dim` is, see `math.any`."""
        return _reductions().any_(self, dim)

    def all(self, dim: Any = non_batch) -> Tensor:
        """True if every element along `dim` is, see `math.all`."""
        return _reductions().all_(self, dim)

    def std(self, dim: Any = non_batch, correction: float = 0) -> Tensor:
        """Standard deviation along `dim`, see `math.std`."""
        from phi_tensor.ops._statistics import std  # noqa: PLC0415 operations need this class

        return std(self, dim, correction)

    def block(self) -> Tensor:
        """This tensor with its parts joined into one array (itself if it is); made once and kept."""
        if not isinstance(self.layout, Parts):
            return self
        try:
            return self._block
        except AttributeError:
            joined: Tensor = table.JOIN(self)
            if joined.available:
                self._block = joined
            return joined

    def parts(self) -> tuple[Tensor, ...]:
        """The stored parts of a `Stacked` or `Ragged` tensor."""
        layout = cast("Parts", self.layout)
        return tuple(
            Tensor(part, self.natives[start : start + part.count])
            for part, start in zip(layout.parts, layout.offsets, strict=True)
        )

    def __repr__(self) -> str:
        return _read.text(self)

    def __format__(self, spec: str) -> str:
        return _read.text(self, spec) if spec else repr(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return _read.rebuild, _read.reduced(self)

    def __copy__(self) -> Tensor:
        return self

    def __deepcopy__(self, memo: Any) -> Tensor:
        return self


def _reductions() -> Any:
    from phi_tensor.ops import _reductions as module  # noqa: PLC0415 operations need this class

    return module


def _equality(row: Row, a: Tensor, b: object) -> Any:
    return binary(row, a, b)
