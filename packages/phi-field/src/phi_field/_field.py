"""Values in space.

Where they are, what they are, on which part of the cells they sit, and what holds outside.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np

import phi_tensor as math
from phi_field._boundary import as_boundary, follow, follow_each, with_arrays
from phi_field.sampling._sampling import Sampling
from phi_field.sampling._site import Site
from phi_geom import Box, Geometry
from phi_tensor import BoundDim, IncompatibleShapes, Shape, Tensor, channel, slicing_dict, wrap
from phi_tensor.extrapolation import ConstantExtrapolation, CopyExtrapolation, Extrapolation

_OPERATORS = cast("Any", operator)
"""The operators whose stubs are not typed."""


@dataclass(frozen=True, eq=False, repr=False)
class Field:
    """Values on a sampling, with a boundary condition. Behaves like a number in formulas; immutable.

    The boundary follows every operation: that of `2 * field` is twice that of `field`; where nothing is known
    about the outside it is undefined, and asking for it is an error that `with_boundary` settles. Operands on
    other samplings or sites are resampled to those of the left one. Reductions (`math.sum`, `math.mean`, …)
    give tensors.

    Fields are made by `CenteredGrid` and `StaggeredGrid`. `field.x[1:3]`, `field['x']` and
    `field.vector['x']` slice.

    Attributes:
        sampling: Discretisation of space.
        values: Stored values `(…, sites…, vector)`; one component per axis along `vector` at faces and edges.
        site: Part of the cells that carries the values.
        boundary: Values outside.
    """

    sampling: Sampling
    values: Tensor
    site: Site
    boundary: Extrapolation

    # --- description

    @property
    def geometry(self) -> Geometry:
        """The cells."""
        return self.sampling.geometry

    @property
    def bounds(self) -> Box:
        """Box around all cells."""
        return self.sampling.bounds

    @property
    def resolution(self) -> Shape:
        """Dims that list the cells."""
        return self.sampling.shape

    @property
    def dx(self) -> Tensor:
        """Cell size `(vector)`."""
        return cast("Any", self.sampling).dx

    @property
    def shape(self) -> Shape:
        """Dims of the values, with the number of cells in place of the number of stored sites."""
        return _field_shape(self.values.shape, self.sampling.shape)

    @property
    def spatial_rank(self) -> int:
        """Number of physical axes [-]."""
        return len(self.sampling.axes)

    @property
    def points(self) -> Tensor:
        """Positions of the values `(…, vector)`.

        Along `~vector` one set per component where these sit at different sites.
        """
        return self.sampling.points(self.site, self.boundary)

    @property
    def center(self) -> Tensor:
        """Positions of the values, see `points`."""
        return self.points

    @property
    def sampled_at(self) -> str:
        """Name of the site."""
        return self.site.value

    @property
    def is_centered(self) -> bool:
        """True if the values are those of cell centers."""
        return self.site is Site.CENTER

    @property
    def is_staggered(self) -> bool:
        """True if each component sits on the faces normal to it."""
        return self.site is Site.FACE

    # --- values

    def numpy(self, order: Any = None) -> Any:
        """Values as a NumPy array; those of a staggered grid as one array per component.

        Args:
            order: Order of the dims, by default as in `shape`.
        """
        names = self.shape.names if order is None else order
        if self.values.shape.is_uniform:
            return self.values.numpy(names)
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        return tuple(v.numpy([n for n in names if n != "vector"]) for v in self.values.vector)

    def uniform_values(self) -> Tensor:
        """Values with equal sizes of all components; staggered ones as in `staggered_tensor`."""
        return self.values if self.site is Site.CENTER else self.staggered_tensor()

    def staggered_tensor(self) -> Tensor:
        """All sites of n + 1 per axis as one tensor, outer ones from the boundary, along `vector`."""
        return cast("Any", self.sampling).uniform(self.values, self.site, self.boundary)

    def with_values(self, values: Any) -> Field:
        """Copy with other values.

        Numbers, tensors, functions of position, geometries or fields, as in `CenteredGrid`.
        """
        if not isinstance(values, Tensor):
            from phi_field._construct import sampled_values  # noqa: PLC0415 construction makes fields

            values = sampled_values(values, self.sampling, self.site, self.boundary)
        return Field(self.sampling, values, self.site, self.boundary)

    def with_boundary(self, boundary: Any) -> Field:
        """Copy with another boundary.

        Outer faces that it does not determine are added (from the old one), others dropped.
        """
        new = as_boundary(boundary)
        if new is self.boundary:
            return self
        values = (
            self.values
            if self.site is Site.CENTER
            else self.sampling.with_faces(self.values, self.site, self.boundary, new)
        )
        return Field(self.sampling, values, self.site, new)

    # --- resampling

    def at(self, representation: Any, keep_boundary: bool = False) -> Field:
        """This field on the sampling and site of another field (or on the centers of a geometry).

        See `resample`.
        """
        from phi_field._resample import resample  # noqa: PLC0415 resampling makes fields

        return resample(self, representation, keep_boundary)

    def at_centers(self) -> Field:
        """Copy with values at cell centers: vectors of which each component is the mean of the two faces."""
        return self._moved(Site.CENTER, self.boundary)

    def at_faces(self, boundary: Any = None) -> Field:
        """Copy with values at faces.

        Each component of a vector, or a scalar, on the faces normal to each axis.

        Args:
            boundary: Boundary of the result, which decides about the outer faces; by default the own one.
        """
        return self._moved(Site.FACE, self.boundary if boundary is None else as_boundary(boundary))

    def _moved(self, site: Site, boundary: Extrapolation) -> Field:
        if self.site is site:
            return self.with_boundary(boundary)
        values = self.sampling.interpolate(self.values, self.site, self.boundary, site, boundary)
        return Field(self.sampling, values, site, boundary)

    def sample(self, where: Any) -> Tensor:
        """Values at a field's sites, a geometry's center or any points `(…, vector)`, see `sample`."""
        from phi_field._resample import sample  # noqa: PLC0415 resampling makes fields

        return sample(self, where)

    def pull_back(self, points: Tensor) -> Field:
        """Field whose value at each site is the value of this field at the given point, φ∘p.

        Args:
            points: One point per site, with the dims of `self.points`.
        """
        values = self.sampling.pull_back(self.values, self.site, self.boundary, points)
        return Field(self.sampling, values, self.site, self.boundary)

    def pull_back_with_bounds(self, points: Tensor) -> tuple[Field, Tensor, Tensor]:
        """`(φ∘p, lowest, highest)`.

        `pull_back`, and the range of the values that each of its values was interpolated between.

        Args:
            points: One point per site, with the dims of `self.points`.
        """
        values, lowest, highest = self.sampling.pull_back_with_bounds(
            self.values, self.site, self.boundary, points
        )
        return Field(self.sampling, values, self.site, self.boundary), lowest, highest

    # --- dims

    def __getitem__(self, item: Any) -> Field:
        from phi_field._slicing import sliced  # noqa: PLC0415 slices are fields

        return sliced(self, slicing_dict(self, item))

    def __getattr__(self, name: str) -> BoundDim[Any]:
        if name.startswith("_") or name not in self.shape:
            raise AttributeError(
                f"`Field` has neither an attribute nor a dim `{name}`; its dims are "
                f"{'' if name.startswith('_') else self.shape}."
            )
        return BoundDim(self, name)

    # --- trees: the values, and tensors in the boundary

    def __variable_attrs__(self) -> tuple[str, ...]:
        return ("values",) if _holds_no_tensors(self.boundary) else ("values", "boundary")

    def __value_attrs__(self) -> tuple[str, ...]:
        return ("values",)

    def __with_attrs__(self, **changes: Any) -> Field:
        return Field(
            self.sampling,
            changes.get("values", self.values),
            self.site,
            changes.get("boundary", self.boundary),
        )

    def __elementwise__(self, function: Callable[..., Any], *operands: Any) -> Field:
        return elementwise(function, *operands)

    def __reduction__(self, function: Callable[[Tensor], Any], dim: Any) -> Any:
        return reduced(self, function, dim)

    @staticmethod
    def __stack__(fields: list[Field], dim: Shape, expand_values: bool = False) -> Field:
        return _joined(fields, lambda values: math.stack(values, dim, expand_values))

    @staticmethod
    def __concat__(fields: list[Field], dim: str, expand_values: bool = False) -> Field:
        return _joined(fields, lambda values: math.concat(values, dim, expand_values))

    def __expand__(self, dims: Shape) -> Field:
        return self.with_values(math.expand(self.values, dims))

    def __replace_dims__(self, dims: Any, names: Any) -> Field:
        return self.with_values(math.rename_dims(self.values, dims, names))

    # --- arithmetic

    def __add__(self, other: Any) -> Field:
        return elementwise(operator.add, self, other)

    def __radd__(self, other: Any) -> Field:
        return elementwise(operator.add, other, self)

    def __sub__(self, other: Any) -> Field:
        return elementwise(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Field:
        return elementwise(operator.sub, other, self)

    def __mul__(self, other: Any) -> Field:
        return elementwise(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Field:
        return elementwise(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Field:
        return elementwise(_OPERATORS.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Field:
        return elementwise(_OPERATORS.truediv, other, self)

    def __pow__(self, other: Any) -> Field:
        return elementwise(_OPERATORS.pow, self, other)

    def __rpow__(self, other: Any) -> Field:
        return elementwise(_OPERATORS.pow, other, self)

    def __mod__(self, other: Any) -> Field:
        return elementwise(operator.mod, self, other)

    def __lt__(self, other: Any) -> Field:
        return elementwise(operator.lt, self, other)

    def __le__(self, other: Any) -> Field:
        return elementwise(operator.le, self, other)

    def __gt__(self, other: Any) -> Field:
        return elementwise(operator.gt, self, other)

    def __ge__(self, other: Any) -> Field:
        return elementwise(operator.ge, self, other)

    def __and__(self, other: Any) -> Field:
        return elementwise(_OPERATORS.and_, self, other)

    def __or__(self, other: Any) -> Field:
        return elementwise(_OPERATORS.or_, self, other)

    def __invert__(self) -> Field:
        return elementwise(operator.invert, self)

    def __neg__(self) -> Field:
        return elementwise(operator.mul, self, -1)

    def __abs__(self) -> Field:
        return elementwise(operator.abs, self)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Field) and _equal(self, other))

    def __hash__(self) -> int:
        return hash((self.sampling, self.site, self.values.shape))

    def __repr__(self) -> str:
        return f"Field({self.site.value} of {self.sampling!r}, {self.values!r}, boundary={self.boundary!r})"


@lru_cache(4096)
def _field_shape(values: Shape, cells: Shape) -> Shape:
    rest = values.without(cells.names)
    return rest.non_channel & cells & rest.channel


def _joined(fields: list[Field], join: Callable[[list[Any]], Any]) -> Field:
    """Fields of one sampling and site side by side.

    Constants outside that differ are joined as the values are.
    """
    first = fields[0]
    boundary = first.boundary
    for field in fields[1:]:
        if field.sampling != first.sampling or field.site is not first.site:
            raise IncompatibleShapes(
                f"Fields are joined on one sampling and site, but found {first.site.value}s of "
                f"{first.sampling!r} and {field.site.value}s of "
                f"{field.sampling!r}. Use `field.at(other)` first."
            )
    if any(field.boundary != boundary for field in fields):
        boundary = follow(
            lambda *constants: join([wrap(constant) for constant in constants]),
            [field.boundary for field in fields],
        )
    return Field(first.sampling, join([_values(field, boundary) for field in fields]), first.site, boundary)


def _equal(a: Field, b: Field) -> bool:
    if (
        a.site is not b.site
        or a.values.shape != b.values.shape
        or a.sampling != b.sampling
        or a.boundary != b.boundary
    ):
        return False
    difference, scale = math.abs(a.values - b.values), 1e-5 * math.abs(b.values)
    return a.values is b.values or bool(math.all(difference <= scale))


def elementwise(function: Callable[..., Any], *operands: Any) -> Field:
    """Field of `function(…)` applied point by point; other fields are resampled to the first one.

    Args:
        function: Function of tensors and numbers, such as `operator.add` or `math.sin`.
        *operands: Fields, tensors, numbers; sequences give one number per axis.
    """
    first = next(operand for operand in operands if isinstance(operand, Field))
    same = [_operand(operand, first) for operand in operands]
    arrays = any(isinstance(x, Tensor) and not x.shape.isdisjoint(first.sampling.shape) for x in same)
    rules = [x.boundary if isinstance(x, Field) else x for x in same]
    boundary = with_arrays(first.boundary) if arrays else follow(function, rules)
    values = [_values(x, boundary) if isinstance(x, Field) else x for x in same]
    return Field(first.sampling, function(*values), first.site, boundary)


def reduced(field: Field, function: Callable[[Tensor], Any], dim: Any) -> Any:
    """Result of a reduction: a tensor over space, a field at the centers over components."""
    if set(field.shape.selected_names(dim)) & set(field.sampling.axes):
        return function(field.values)
    centered = field.at_centers()
    gone = centered.values.shape.only(dim)

    def outside(rule: Extrapolation) -> Any:
        constant = isinstance(rule, ConstantExtrapolation)
        return function(math.expand(wrap(rule.value), gone)) if constant else rule

    boundary = (
        with_arrays(centered.boundary)
        if centered.boundary.differs_by_component
        else follow_each(outside, centered.boundary)
    )
    return Field(field.sampling, function(centered.values), Site.CENTER, boundary)


def _operand(x: Any, first: Field) -> Any:
    if isinstance(x, Field):
        same = (x.sampling is first.sampling or x.sampling == first.sampling) and x.site is first.site
        return x if same else x.at(first, keep_boundary=True)
    if isinstance(x, (tuple, list)):
        entries = cast("list[Any]", x)
        if len(entries) != first.spatial_rank:
            raise IncompatibleShapes(
                f"A sequence combines with a field as one number per axis {first.sampling.axes}, but "
                f"found {x!r}."
            )
        return math.stack([wrap(entry) for entry in entries], channel(vector=first.sampling.axes))
    return wrap(x) if isinstance(x, (np.ndarray, np.generic)) else x


def _values(field: Field, boundary: Extrapolation) -> Tensor:
    if field.site is Site.CENTER or field.boundary is boundary:
        return field.values
    return field.sampling.with_faces(field.values, field.site, field.boundary, boundary)


def _holds_no_tensors(boundary: Extrapolation) -> bool:
    """True for the common boundaries that are surely static: copying rules and plain numbers."""
    if isinstance(boundary, ConstantExtrapolation):
        return not isinstance(boundary.value, Tensor)
    return isinstance(boundary, CopyExtrapolation)
