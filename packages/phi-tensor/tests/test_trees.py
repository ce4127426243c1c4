"""Trees: containers, dataclasses, foreign classes; what mathematics, derivatives and structure act on."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Shape, Tensor, batch, spatial, tensor, wrap
from phi_tensor._trees import flatten, is_tree
from phi_tensor.testing import assert_close


class Pair(NamedTuple):
    a: object
    b: object


@dataclass(frozen=True)
class Particles:
    position: Tensor
    mass: Tensor
    name: str = "dust"
    count: int = 1
    kind: Literal["free", "fixed"] = "free"
    box: Shape | None = None

    variable_attrs = ["position"]  # noqa: RUF012 any sequence will do
    value_attrs = "mass"


class Foreign:
    def __init__(self, x, unit):
        self.x, self.unit = x, unit

    def __variable_attrs__(self):
        return ("x",)

    def __with_attrs__(self, **changes):
        return Foreign(changes["x"], self.unit)


def particles(name="dust"):
    return Particles(math.ones(spatial(x=3)), 2 * math.ones(spatial(x=3)), name)


def test_containers_keep_their_kind(backend):
    one = tensor(1.0)
    for tree in (
        (one, one),
        [one, one],
        {"a": one, "b": one},
        Pair(one, one),
        {"a": [one, (one, Pair(one, "text"))], "n": None},
    ):
        mapped = math.tree_map(lambda x: x + 1, tree)
        assert type(mapped) is type(tree)
        assert_close(math.tree_map(lambda x: x - 1, mapped), tree)


def test_which_attributes_are_followed(backend):
    p = particles()
    assert_close(math.sin(p).mass, math.sin(p.mass))
    assert math.sin(p).position is p.position
    leaves, structure = flatten(p)
    assert [leaf is p.position for leaf in leaves] == [True]
    assert structure.build([p.mass]).position is p.mass
    assert len(flatten(p, "all")[0]) == 2
    moved = math.rename_dims(p, "x", batch("b"))
    assert moved.position.shape == moved.mass.shape == batch(b=3)
    assert (moved.name, moved.count, moved.kind) == ("dust", 1, "free")


def test_structures_compare_what_is_static(backend):
    p, gas = particles(), particles("gas")
    same = flatten(p)[1]
    assert same == flatten(replace(p, position=gas.position))[1]
    assert hash(same) == hash(flatten(replace(p, position=gas.position))[1])
    assert same != flatten(replace(p, name="gas"))[1]
    assert (
        same != flatten(replace(p, mass=gas.mass))[1]
    )  # not followed, hence constant: another tensor is another constant
    assert flatten(p, "all")[1] == flatten(replace(p, mass=gas.mass), "all")[1]
    a, b = spatial(x=2, y=3), spatial(y=3, x=2)
    for one, other in (([a], [b]), ({a: p}, {b: p}), (replace(p, box=a), replace(p, box=b))):
        (_, one), (_, other) = flatten(one), flatten(other)
        assert one == other
        assert one.orders() == (a.dims,) != other.orders() == (b.dims,)
    with pytest.raises(IncompatibleShapes, match="one structure"):
        math.stack([particles(), particles("gas")], batch("b"))
    assert math.stack([particles(), particles()], batch("b")).position.shape == batch(b=2) & spatial(x=3)


def test_foreign_classes_follow_the_protocol(backend):
    f = Foreign(math.ones(spatial(x=2)), "m")
    g = math.tree_map(lambda x: 2 * x, f)
    assert g.unit == "m"
    assert_close(g.x, 2 * f.x)
    assert_close(math.exp(f).x, math.exp(f.x))
    assert math.shape(f) == spatial(x=2)


def test_functions_of_several_trees(backend):
    a = {"u": tensor(1.0), "v": tensor(2.0)}
    assert_close(math.tree_map(lambda x, y: x + y, a, a), {"u": wrap(2.0), "v": wrap(4.0)})
    assert_close(math.maximum(a, 1.5), {"u": wrap(1.5), "v": wrap(2.0)})
    assert_close(math.where(True, a, 0.0), a)
    assert_close(math.clip(a, 0, 1.5), {"u": wrap(1.0), "v": wrap(1.5)})
    with pytest.raises(IncompatibleShapes, match="same structure"):
        math.tree_map(lambda x, y: x, a, {"u": tensor(1.0)})
    swapped = {"v": tensor(2.0), "u": tensor(1.0)}
    for other in (swapped, [tensor(1.0), tensor(2.0)], {"u": [tensor(1.0)], "v": tensor(2.0)}, tensor(1.0)):
        with pytest.raises(IncompatibleShapes, match="same structure"):
            math.tree_map(lambda x, y: x + y, a, other)
    with pytest.raises(IncompatibleShapes, match="one order"):
        math.maximum(a, swapped)
    assert_close(math.tree_map(lambda x, y: x + y, [tensor(1.0)], (tensor(2.0),)), [tensor(3.0)])


def test_numpy_numbers_are_equal_configuration(backend):
    @dataclass(frozen=True)
    class Scaled:
        x: Tensor
        factor: float

    parts = [Scaled(tensor(1.0), np.float64(2.0)), Scaled(tensor(3.0), np.float64(2.0))]
    assert math.stack(parts, batch("b")).factor == 2
    with pytest.raises(IncompatibleShapes, match="one structure"):
        math.stack([parts[0], Scaled(tensor(1.0), np.float64(3.0))], batch("b"))


def test_what_is_a_tree(backend):
    assert is_tree(tensor(1.0))
    assert is_tree([tensor(1.0)])
    assert not is_tree([1, "a", None])


def test_trees_convert(backend):
    tree = {"a": [wrap([1.0, 2.0])], "b": "text"}
    assert math.convert(tree)["a"][0].backend is backend
    assert_close(math.convert(tree), tree)
    assert_close(math.to_device(math.convert(tree), "CPU"), tree)


def test_attributes_that_hold_one_tensor_each_are_rebuilt_as_they_were(backend):
    @dataclass(frozen=True)
    class Holder:
        pair: tuple[object, ...]
        table: dict[str, object]

    made = math.tree_map(lambda x: 2 * x, Holder((wrap(1.0), None), {"a": wrap(2.0)}), attributes="variable")
    assert isinstance(made.pair, tuple)
    assert float(made.pair[0]) == 2
    assert made.pair[1] is None
    assert float(made.table["a"]) == 4
