"""Custom classes: their hooks come first, also deep in trees; what they do not answer goes part by part."""

from dataclasses import dataclass, field

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Tensor, batch, channel, spatial, tensor, wrap
from phi_tensor.testing import assert_close

X = spatial(x=3)


class Everything:
    """Answers every hook with what it was asked; slices to an index."""

    def __shape__(self):
        return X

    def __getitem__(self, item):
        return "sliced", item

    def __unstack__(self, dims):
        return ("unstacked", dims), ("unstacked", dims)

    @staticmethod
    def __stack__(values, dim, **options):
        return "stacked", len(values), dim, options

    @staticmethod
    def __concat__(values, dim, **options):
        return "concatenated", len(values), dim, options

    def __expand__(self, dims, **options):
        return "expanded", dims

    def __replace_dims__(self, dims, new_dims, **options):
        return "renamed", dims, new_dims

    def __pack_dims__(self, dims, packed_dim, pos, **options):
        return "packed", dims, packed_dim, pos

    def __unpack_dim__(self, dim, unpacked_dims, **options):
        return "unpacked", dim, unpacked_dims

    def __flatten__(self, flat_dim, flatten_batch, **options):
        return "flat", flat_dim, flatten_batch

    def __cast__(self, dtype):
        return "cast", dtype


class Nothing:
    """Answers no hook, but names its tensors."""

    def __init__(self, x, y, unit="m"):
        self.x, self.y, self.unit = x, y, unit

    def _declines(self, *args, **options):
        return NotImplemented

    __shape__ = __getitem__ = __unstack__ = __expand__ = __replace_dims__ = _declines
    __pack_dims__ = __unpack_dim__ = __flatten__ = __cast__ = _declines
    __stack__ = __concat__ = staticmethod(lambda values, dim, **options: NotImplemented)

    def __variable_attrs__(self):
        return ("x",)

    def __value_attrs__(self):
        return ("y",)


ASKED = {
    "slice": (lambda e: math.slice(e, {"x": 0}), ("sliced", {"x": 0})),
    "expand": (lambda e: math.expand(e, batch(b=2)), ("expanded", batch(b=2))),
    "rename": (lambda e: math.rename_dims(e, "x", "y"), ("renamed", "x", "y")),
    "pack": (lambda e: math.pack_dims(e, "x", "p:i", pos=1), ("packed", "x", "p:i", 1)),
    "unpack": (lambda e: math.unpack_dim(e, "x", "a:s=3"), ("unpacked", "x", spatial(a=3))),
    "flatten": (lambda e: math.flatten(e, "f:i"), ("flat", "f:i", False)),
    "cast": (lambda e: math.cast(e, int), ("cast", math.DType(int))),
}


@pytest.mark.parametrize("name", ASKED)
def test_hooks_answer_also_deep_in_trees(name, backend):
    ask, expected = ASKED[name]
    assert ask(Everything()) == expected
    found = ask({"a": [Everything(), tensor(np.zeros(3), spatial("x"))], "b": "text", "c": None})
    assert found["a"][0] == expected
    assert isinstance(found["a"][1], Tensor)
    assert (found["b"], found["c"]) == ("text", None)


def test_hooks_of_joining(backend):
    pair = [Everything(), Everything()]
    assert math.stack(pair, batch("b")) == ("stacked", 2, batch("b"), {})
    assert math.stack(pair, batch("b"), expand_values=True) == (
        "stacked",
        2,
        batch("b"),
        {"expand_values": True},
    )
    assert math.stack([{"e": e} for e in pair], batch("b")) == {"e": ("stacked", 2, batch("b"), {})}
    assert math.concat(pair, "x") == ("concatenated", 2, "x", {})
    assert math.concat([[e] for e in pair], "x", expand_values=True) == [
        ("concatenated", 2, "x", {"expand_values": True})
    ]
    assert math.unstack(Everything(), "x") == (("unstacked", ("x",)),) * 2


def test_without_an_answer_all_tensors_are_rearranged(backend):
    n = Nothing(math.ones(X), math.zeros(X))
    assert math.shape(n) == X
    assert math.stack([n, n], batch("b")).y.shape == batch(b=2) & X
    assert math.concat([n, n], "x").x.shape == spatial(x=6)
    assert math.expand(n, batch(b=2)).y.shape == batch(b=2) & X
    assert math.rename_dims(n, "x", batch("b")).x.shape == batch(b=3)
    assert math.unpack_dim(n, "x", spatial(a=3, c=1)).x.shape == spatial(a=3, c=1)
    assert math.pack_dims(n, "x", "p:i").x.shape == math.flatten(n, "p:i").y.shape == math.instance(p=3)
    assert math.slice(n, {"x": 0}).x.shape == math.EMPTY_SHAPE
    assert [part.unit for part in math.unstack(n, "x")] == ["m"] * 3
    assert math.cast(n, int).y.dtype == int
    assert math.flip(n, "x").x.shape == math.roll(n, 1, "x").x.shape == X


def test_hooks_may_call_the_function_for_their_own_object(backend):
    class Doubling(Nothing):
        def __getitem__(self, item):
            part = math.slice(self, item)
            part.unit += "!"
            return part

        def __shape__(self):
            return math.shape(self) & batch(own=1)

        @staticmethod
        def __stack__(values, dim, **options):
            made = math.stack(values, dim)
            made.unit += str(len(values))
            return made

    d = Doubling(math.ones(X), math.zeros(X))
    assert math.slice([d], {"x": 0})[0].unit == "m!"
    assert math.shape([d]) == X & batch(own=1)
    assert math.stack([[d], [d]], batch("b"))[0].unit == "m2"


def test_structure_of_containers(backend):
    x = tensor([1.0, 2.0, 3.0], spatial("x"))
    tree = [x, {"a": 2 * x, "n": 1.0}, None]
    assert math.shape(tree) == X
    assert_close(math.slice(tree, {"x": slice(1, None)}), [x.x[1:], {"a": 2 * x.x[1:], "n": 1.0}, None])
    assert_close(math.unstack(tree, "x")[2], [x.x[2], {"a": 2 * x.x[2], "n": 1.0}, None])
    assert_close(math.unstack(tree, batch(b=2), expand=True), (tree, tree))
    assert len(math.unstack(tree, batch(b=2) & X, expand=True)) == 6
    assert math.unstack(tree, batch(b=2)) == (tree,)
    assert_close(math.squeeze([x.x[:1]], "x"), [x.x[0]])
    both = math.concat([tree, tree], "x")
    assert (both[0].shape, both[1]["n"], both[2]) == (spatial(x=6), 1.0, None)
    assert math.stack([tree, tree], batch("b"))[1]["n"].shape == batch(b=2)


def test_joined_values_have_one_structure(backend):
    for a, b in (
        ([math.ones(X)], (math.ones(X),)),
        ({"a": 1.0}, {"b": 1.0}),
        (["s"], ["t"]),
        ([1.0], [None]),
    ):
        with pytest.raises(IncompatibleShapes, match="one structure"):
            math.stack([a, b], batch("b"))
    with pytest.raises(IncompatibleShapes, match="numbers lack this dim"):
        math.concat([[1.0], [2.0]], "x")
    with pytest.raises(IncompatibleShapes, match="numbers lack this dim"):
        math.concat([1.0, math.ones(X)], "x")


def test_objects_without_a_hook_are_not_numbers():
    for function in (lambda: math.flip(OnlyShape(), "x"), lambda: math.expand(OnlyShape(), batch(b=2))):
        with pytest.raises(math.Unsupported, match=r"moves numbers of tensors.*OnlyShape"):
            function()


def test_what_cannot_be_joined_or_unstacked():
    with pytest.raises(TypeError, match="sequence or dict"):
        math.stack(1, batch("b"))
    with pytest.raises(TypeError, match="along one dim"):
        math.concat([wrap(1.0)], spatial)
    ragged = math.stack([math.ones(X), math.ones(spatial(x=2))], batch("b"))
    with pytest.raises(IncompatibleShapes, match="varying size"):
        math.unstack([ragged], "x")


def test_shapes_of_objects():
    assert math.shape([Everything(), 1.0, "y:s=2"]) == X
    with pytest.raises(TypeError, match="object has no dims"):
        math.shape(object())
    assert math.shape(object(), allow_unshaped=True) == math.EMPTY_SHAPE
    assert math.shape([math.ones(X)], allow_unshaped=True) == X


def test_shapes_that_differ_in_size():
    a, b = X & channel(vector="x,y"), spatial(x=4) & channel(vector="u,v")
    merged = math.merge_shapes(a, b, allow_varying_sizes=True)
    assert (merged.names, merged.sizes, merged.labels) == (("x", "vector"), (None, None), (None, None))
    assert math.merge_shapes(a, a, allow_varying_sizes=True) == a
    with pytest.raises(IncompatibleShapes):
        math.merge_shapes(a, b)
    with pytest.raises(IncompatibleShapes, match=r"batch on one side|spatial on one side"):
        math.merge_shapes(X, batch(x=3), allow_varying_sizes=True)


@dataclass(frozen=True)
class Data:
    x: Tensor


class OnlyShape:
    shape = X


class Concatenable(OnlyShape):
    def __getitem__(self, item):
        return self

    __expand__ = __concat__ = __getitem__


PROTOCOLS = {  # Shaped, Sliceable, Shapable, PhiTreeNode
    "tensor": (wrap(1.0), "1111"),
    "none": (None, "0111"),
    "list": ([wrap(1.0), None], "0111"),
    "list of text": (["a"], "0000"),
    "dict": ({"a": (wrap(1.0),)}, "0111"),
    "dict of numbers": ({"a": 1.0}, "0000"),
    "dataclass": (Data(wrap(1.0)), "0111"),
    "class": (Data, "0000"),
    "attributes": (Nothing(wrap(1.0), wrap(1.0)), "1111"),
    "hooks": (Everything(), "1110"),
    "shape": (OnlyShape(), "1000"),
    "concat and expand": (Concatenable(), "1110"),
    "array": (np.zeros(3), "0000"),
    "text": ("x:s=2", "0000"),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_protocols(name):
    obj, expected = PROTOCOLS[name]
    found = [isinstance(obj, kind) for kind in (math.Shaped, math.Sliceable, math.Shapable, math.PhiTreeNode)]
    assert "".join(str(int(f)) for f in found) == expected


def test_losses_take_trees(backend):  # WEAKNESSES A41
    x = tensor([3.0, 4.0], spatial("x"))
    for tree in ([x, x], (x, x), {"a": x, "b": x}, Data(x)):
        assert_close(math.l2_loss(tree), math.l2_loss(x) * (1 if isinstance(tree, Data) else 2))
        assert_close(math.l1_loss(tree), math.l1_loss(x) * (1 if isinstance(tree, Data) else 2))


def test_attributes_of_foreign_classes(backend):
    n = Nothing(tensor(1.0), tensor(2.0))
    assert_close(math.exp(n).x, wrap(1.0))
    assert_close(math.exp(n).y, math.exp(wrap(2.0)))
    assert [float(v) for v in collected(n, "variable")] == [1]
    assert [float(v) for v in collected(n, "all")] == [1, 2]

    class Values:
        def __value_attrs__(self):
            return ("y",)

        def __all_attrs__(self):
            return ("y", "z")

    v = Values()
    v.y, v.z = tensor(1.0), tensor(2.0)
    assert [float(x) for x in collected(v, "variable")] == [1]
    assert [float(x) for x in collected(v, "all")] == [1, 2]


def collected(tree, attributes):
    found = []
    math.tree_map(lambda x: found.append(x) or x, tree, attributes=attributes)
    return found


@dataclass(frozen=True)
class Listed:
    x: Tensor
    y: Tensor
    variable_attrs: tuple[str, ...] = ("x",)
    value_attrs: tuple[str, ...] = field(default=("y",))


def test_dataclasses_list_their_attributes_in_fields(backend):  # SEM 94
    both = Listed(tensor(0.0), tensor(0.0))
    assert_close(math.cos(both).y, wrap(1.0))
    assert math.cos(both).x is both.x
    assert len(collected(both, "variable")) == 1
    assert len(collected(Listed(tensor(0.0), tensor(0.0), ["x", "y"]), "variable")) == 2
    assert math.stack([both, both], batch("b")).variable_attrs == ("x",)


def test_copies_of_foreign_objects_compute_their_properties_again(backend):
    import functools

    class Square(Nothing):
        @functools.cached_property
        def area(self):
            return self.x * self.x

    s = Square(tensor(2.0), tensor(0.0))
    assert float(s.area) == 4
    assert float(math.copy_with(s, x=tensor(3.0)).area) == 9
    assert float(math.tree_map(lambda x: 2 * x, s, attributes="variable").area) == 16


class Block:
    """Stacked by expanding and concatenating; no tree."""

    def __init__(self, x):
        self.x = x

    @property
    def shape(self):
        return self.x.shape

    def __getitem__(self, item):
        return Block(self.x[item])

    def __expand__(self, dims, **options):
        return Block(math.expand(self.x, dims))

    @staticmethod
    def __concat__(values, dim, **options):
        return Block(math.concat([value.x for value in values], dim))


def test_classes_stack_by_expanding_and_concatenating(backend):
    one = Block(tensor([1.0, 2.0], spatial("x")))
    two = Block(tensor([3.0, 4.0], spatial("x")))
    for values in ([one, two], [one, one]):
        found = math.stack(values, channel(side="left,right"))
        assert isinstance(found, Block)
        assert_close(found.x, math.stack([value.x for value in values], channel(side="left,right")))
    assert math.stack({"u": one, "v": two}, channel("k"))["v"].x.shape == spatial(x=2)
    with pytest.raises(IncompatibleShapes, match="2 values"):
        math.stack([one, two], batch(b=3))
