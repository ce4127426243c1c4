"""Dataclasses of tensors: slices, stacks, changed copies, what caches survive, equality."""

import functools
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field
from typing import Annotated, Any, Literal, Union

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Tensor, batch, channel, dual, instance, spatial, tensor, wrap
from phi_tensor import dataclasses as data
from phi_tensor.dataclasses import (
    cached_property,
    config_fields,
    data_eq,
    data_fields,
    equal,
    getitem,
    non_data_fields,
    sliceable,
    special_fields,
)
from phi_tensor.testing import assert_close


@sliceable
@dataclass(frozen=True)
class Particles:
    position: Tensor
    mass: Tensor
    name: str = "dust"
    variable_attrs: tuple[str, ...] = ("position",)

    @cached_property
    def total_mass(self):
        return math.sum(self.mass, "p")

    @cached_property
    def momentum(self):
        return self.total_mass * getattr(self, "position")  # noqa: B009 read in another way

    @cached_property(commutes="p,b")
    def doubled(self):
        return 2 * self.position

    @functools.cached_property
    def title(self):
        return self.name.title()

    def first(self):
        return self.position.p[0]

    @cached_property
    def start(self):
        return self.first()


def particles(name="dust", count=3):
    position = tensor(np.arange(2.0 * count).reshape(count, 2), instance("p"), channel(vector="x,y"))
    return Particles(position, 1 + math.zeros(instance(p=count)), name)


def cached(obj):
    return {name for name in ("total_mass", "momentum", "doubled", "title", "start") if name in vars(obj)}


def filled(obj):
    return [getattr(obj, name) for name in ("total_mass", "momentum", "doubled", "title", "start")] and obj


def test_shape_slices_and_text(backend):
    p = particles()
    assert p.shape == instance(p=3) & channel(vector="x,y")
    assert repr(p) == "Particles(p:i=3, vector:c=x,y; name='dust')"
    assert_close(p.p[1:].position, p.position.p[1:])
    assert p.p[1:].mass.shape == instance(p=2)
    assert p["y"].mass is p.mass
    assert p["y"].position.shape == instance(p=3)
    assert p[{"p": 0, "other": 3}].shape == channel(vector="x,y")
    assert [part.name for part in p.p] == ["dust"] * 3
    assert_close(p.vector["y"], getitem(p, "y"))
    assert p.p.as_batch("b").shape == batch(b=3) & channel(vector="x,y")
    with pytest.raises(AttributeError, match=r"ever created.*`position`"):
        _ = p.positoin
    with pytest.raises(FrozenInstanceError):
        p.name = "gas"


def test_transposes(backend):
    p = particles()
    assert p.Ti.shape == dual(p=3) & channel(vector="x,y")
    assert p.Ti.Ti.shape == p.shape
    assert p.Tc.shape == instance(p=3) & dual(vector="x,y")
    assert p.Ts.shape == p.shape


def test_dims_that_stay(backend):
    @sliceable(keepdims="vector", t_props=False, dim_attrs=False, dim_repr=False)
    @dataclass(frozen=True)
    class Kept:
        position: Tensor

    k = Kept(particles().position)
    for item in ("y", 1, -1, {"vector": slice(1, 2)}, "y,"):
        assert k[item].position.shape == instance(p=3) & channel(vector="y")
    assert k["x,y"].position.shape == k.position.shape
    assert k[{"p": 0}].position.shape == channel(vector="x,y")
    assert getitem(k, {"p": 0}, keepdims=instance).position.shape == instance(p=1) & channel(vector="x,y")
    for index in (np.int64(1), math.wrap(1), np.int32(-1)):
        assert k[{"vector": index}].position.shape == instance(p=3) & channel(vector="y")
    for outside in (2, -3):
        with pytest.raises(IndexError, match="outside"):
            k[{"vector": outside}]
    assert not hasattr(k, "Ti")
    assert not hasattr(k, "vector")
    assert repr(k).endswith(f"Kept(position={k.position!r})")


def test_only_what_the_class_lacks_is_added(backend):  # WEAKNESSES A25
    @sliceable
    @dataclass(frozen=True)
    class Own:
        x: Tensor

        def __getitem__(self, item):
            return "mine", item

        @staticmethod
        def __stack__(values, dim, **options):
            return "stacked"

        def __repr__(self):
            return "own"

    own = Own(math.ones(spatial(x=2)))
    assert own[0] == ("mine", 0)
    assert math.stack([own, own], batch("b")) == "stacked"
    assert repr(own) == "own"
    assert own.shape == spatial(x=2)


def test_what_can_be_sliceable():
    with pytest.raises(TypeError, match="frozen=True"):
        sliceable(dataclass(type("Open", (), {"__annotations__": {"x": Tensor}})))
    with pytest.raises(TypeError, match="frozen=True"):
        sliceable(int)
    with pytest.raises(TypeError, match="slots"):
        sliceable(dataclass(frozen=True, slots=True)(type("Slots", (), {"__annotations__": {"x": Tensor}})))


def test_dims_are_checked_early_or_late(backend):
    @sliceable
    @dataclass(frozen=True)
    class Late:
        a: Tensor
        b: Tensor

    @sliceable(lazy_dims=False)
    @dataclass(frozen=True)
    class Early:
        a: Tensor
        b: Tensor

    bad = math.ones(spatial(x=2)), math.ones(spatial(x=3))
    late = Late(*bad)
    with pytest.raises(IncompatibleShapes):
        _ = late.shape
    with pytest.raises(IncompatibleShapes):
        Early(*bad)
    assert Early(bad[0], bad[0]).shape == spatial(x=2)


def test_changed_copies_keep_what_does_not_depend_on_the_change(backend):  # SEM 95, 99
    p = filled(particles())
    assert cached(math.replace(p, position=2 * p.position)) == {"total_mass", "title"}
    assert cached(math.replace(p, mass=2 * p.mass)) == {"doubled", "title", "start"}
    assert cached(math.replace(p, name="gas")) == {"total_mass", "momentum", "doubled", "start"}
    assert math.replace(p, name="gas").title == "Gas"
    assert math.replace(p, mass=2 * p.mass).doubled is p.doubled
    assert cached(math.replace(p, position=p.position)) == cached(data.copy(p)) == cached(p)
    assert_close(math.replace(p, mass=2 * p.mass).momentum, 2 * p.momentum)
    again = math.replace(math.replace(p, name="gas"), mass=3 * p.mass)
    assert cached(again) == {"doubled", "start"}


def test_slices_keep_what_does_not_depend_on_the_sliced_fields(backend):
    p = filled(particles())
    assert cached(p.vector["x"]) == {"total_mass", "title"}
    part = p.p[1:]
    assert cached(part) == {"doubled", "title"}
    assert_close(vars(part)["doubled"], 2 * part.position)
    assert_close(part.total_mass, math.wrap(2.0))
    assert_close(part.start, p.position.p[1])


def test_stacks_keep_what_commutes(backend):
    p, q = filled(particles()), filled(particles())
    both = math.stack([p, q], batch("b"))
    assert cached(both) == {"doubled"}
    assert_close(both.doubled, 2 * both.position)
    assert both.doubled.shape == batch(b=2) & p.position.shape
    assert cached(math.stack([p, particles()], batch("b"))) == set()
    assert cached(math.stack([p, q], batch("other"))) == set()
    assert cached(math.rename_dims(p, "p", spatial("p"))) == set()
    with pytest.raises(IncompatibleShapes, match="one structure"):
        math.stack([p, particles("gas")], batch("b"))


def test_properties_are_computed_once_and_not_set():
    runs = []

    @dataclass(frozen=True)
    class Plain:
        x: Tensor

        @cached_property
        def double(self):
            runs.append(1)
            return 2 * self.x

    plain = Plain(math.wrap(1.0))
    assert plain.double is plain.double
    assert runs == [1]
    assert math.replace(plain, x=math.wrap(2.0)).double.item() == 4  # what it read is not known
    assert data.copy(plain).double is plain.double
    with pytest.raises(AttributeError, match="computed"):
        type(plain).double.__set__(plain, 1)


def test_subclasses_whose_fields_are_not_noted_keep_nothing():
    @dataclass(frozen=True)
    class More(Particles):
        extra: Any = 1.0

        @cached_property
        def sum(self):
            return self.mass + self.extra

    more = More(math.wrap(1.0), math.wrap(2.0))
    assert more.sum.item() == 3
    assert math.replace(more, extra=5.0).sum.item() == 7


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_values_without_numbers_are_not_kept(backend):
    outside = particles()

    def f(x):
        inside = math.replace(outside, mass=x)
        return inside.total_mass + outside.total_mass

    assert_close(math.jit_compile(f)(tensor([1.0, 2.0, 3.0], instance("p"))), math.wrap(9.0))
    assert_close(outside.total_mass, math.wrap(3.0))


@pytest.mark.needs("reverse")
def test_gradients_pass_through_properties(backend):
    p = filled(particles())
    _, g = math.gradient(lambda x: math.sum(math.replace(p, position=x).doubled ** 2), wrt="x")(p.position)
    assert_close(g, 8 * p.position)


def test_copy_with_takes_known_attributes():
    with pytest.raises(AttributeError, match=r"'weight'.*position, mass"):
        math.copy_with(particles(), weight=1)
    with pytest.raises(AttributeError, match="'weight'"):
        math.copy_with(Foreign(), weight=1)
    f = Foreign()
    assert math.copy_with(f, x=2).x == 2
    assert f.x == 1
    assert math.copy_with(Hooked(), x=3) == {"x": 3}
    assert data.replace is math.replace is math.copy_with  # WEAKNESSES C4


class Foreign:
    def __init__(self):
        self.x = 1


class Hooked(Foreign):
    def __with_attrs__(self, **updates):
        return updates


def test_constructors_check_changed_copies():
    @dataclass(frozen=True)
    class Positive:
        x: float

        def __post_init__(self):
            if self.x < 0:
                raise ValueError("negative")

    with pytest.raises(ValueError, match="negative"):
        math.copy_with(Positive(1.0), x=-1.0)


def test_kinds_of_fields():
    def names(fields):
        return [f.name for f in fields]

    assert names(data_fields(Particles)) == ["position", "mass"]
    assert names(non_data_fields(particles())) == ["name", "variable_attrs"]
    assert names(config_fields(Particles)) == ["name"]
    assert names(special_fields(Particles)) == ["variable_attrs"]


def test_unions_are_data_where_one_member_is():
    @dataclass(frozen=True)
    class Step:
        rate: float | Tensor
        text: "float | Tensor"
        wide: Union[int, "Tensor"]
        either: Tensor | None
        name: "str | None"
        count: int | None
        mode: Literal["a|b", "c"] | None
        flag: "Annotated[bool, 'on|off']"
        call: "Callable[[Tensor], Tensor] | None"

    assert [f.name for f in data_fields(Step)] == ["rate", "text", "wide", "either"]


def test_tensors_in_unions_are_sliced_and_differentiated(backend):
    @sliceable
    @dataclass(frozen=True)
    class Step:
        rate: float | Tensor

    step = Step(tensor([1.0, 2.0], batch("b")))
    assert_close(step.b[1].rate, tensor(2.0))
    assert Step(0.5).shape == math.EMPTY_SHAPE
    if backend.supports >= {"reverse"}:
        slope = math.gradient(lambda s: math.sum(s.rate**2, "b"), get_output=False)(step)
        assert_close(slope.rate, 2 * step.rate)


@data_eq
@dataclass(frozen=True)
class Exact:
    x: Any
    name: str = ""
    dims: math.Shape = math.EMPTY_SHAPE
    extra: list = field(default_factory=list)


def test_equality_by_dims_and_numbers(backend):
    x = tensor([[1.0, math.NAN], [3.0, 4.0]], spatial("x,y"))
    one, same = Exact(x), Exact(tensor([[1.0, 3.0], [math.NAN, 4.0]], spatial("y,x")))
    assert one == same
    assert hash(one) == hash(same)
    assert one == Exact(math.stack([x.x[0], x.x[1]], spatial("x")))
    for other in (Exact(2 * x), Exact(x, "n"), Exact(x.x[:1]), Exact(math.rename_dims(x, "x", "z")), 3):
        assert one != other
    a, b = Exact(x, dims=spatial(x=2, y=3)), Exact(x, dims=spatial(y=3, x=2))
    assert a == b
    assert hash(a) == hash(b)
    assert not equal(one, same, equal_nan=False)
    assert not equal(one, one.__class__(x), equal_nan=False)
    assert equal([x], [x * (1 + 1e-4)], rel_tolerance=1e-3)
    assert not equal([x], [x * (1 + 1e-2)], rel_tolerance=1e-3)
    assert equal((x, 1.0), (x + 1e-4, 1.0), abs_tolerance=1e-3)
    assert equal(1, 1.0)
    ragged = math.stack([math.ones(spatial(x=2)), math.ones(spatial(x=3))], batch("b"))
    assert equal(ragged, 1 * ragged)
    assert not equal(ragged, 2 * ragged)


def test_equality_by_reference_or_tolerance():
    @data_eq(compare_tensors_by_ref=True)
    @dataclass(frozen=True)
    class Same:
        x: Tensor

    @data_eq(rel_tolerance=0.1, equal_nan=False)
    @dataclass(frozen=True)
    class Close:
        x: Tensor

    x = math.wrap([1.0, 2.0])
    assert Same(x) == Same(x) != Same(1 * x)
    assert Close(x) == Close(1.05 * x) != Close(1.2 * x)
    assert Close(x * math.NAN) != Close(x * math.NAN)


def test_equality_of_numbers_bools_and_infinities():
    @data_eq(compare_tensors_by_ref=True)
    @dataclass(frozen=True)
    class Same:
        x: Any

    assert Same(1.0) == Same(1.0) != Same(2.0)
    assert equal([wrap([True])], [wrap([True])], rel_tolerance=1e-3)
    assert not equal([wrap([True])], [wrap([False])], rel_tolerance=1e-3)
    assert equal([wrap(np.uint8([1]))], [wrap(np.uint8([2]))], abs_tolerance=1)
    assert equal([wrap([math.INF])], [wrap([math.INF])], rel_tolerance=1e-3)
    for other in (1.0, -math.INF, math.NAN):
        assert not equal([wrap([math.INF])], [wrap([other])], rel_tolerance=1e-3, abs_tolerance=1.0)
    nan = [wrap(math.NAN)]
    assert equal(nan, nan)
    assert not equal(nan, nan, equal_nan=False)
