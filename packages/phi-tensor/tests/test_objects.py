"""Objects along dims, and dicts with attributes."""

import copy
import pickle

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import (
    Dict,
    IncompatibleShapes,
    Objects,
    Unsupported,
    batch,
    channel,
    instance,
    layout,
    spatial,
    tensor,
    vec,
    wrap,
)
from phi_tensor.testing import assert_close

TABLE = [["a", "b", "c"], ["d", "e", "f"]]


def table():
    return layout(TABLE, batch("b"), spatial("x"))


# --- making


def test_lists_dicts_and_single_objects():
    assert table().shape == batch(b=2) & spatial(x=3)
    named = layout({"u": 1, "v": [2, 3]}, channel("k"))
    assert named.shape == channel(k="u,v")
    assert named["v"] == [2, 3]
    one = layout(len)
    assert isinstance(one, Objects)
    assert one.shape.rank == 0
    assert one.native() is len
    nested = layout([{"u": 1, "v": 2}, {"u": 3, "v": 4}], batch("b"), channel("k"))
    assert nested.b[1].k["u"] == 3
    assert layout([], batch("b")).shape == batch(b=0)
    assert layout(["a"], "b:b").shape == batch(b=1)


def test_sizes_that_vary():
    ragged = layout([["a", "b"], ["c"]], batch("b"), spatial("x"))
    assert ragged.shape.get_size("x") == (2, 1)
    assert list(ragged) == ["a", "b", "c"]
    assert ragged.x[:1] == layout([["a"], ["c"]], batch("b"), spatial("x"))
    assert ragged.native("b,x") == [["a", "b"], ["c"]]
    assert math.pack_dims(ragged, "b,x", instance("p")) == layout(["a", "b", "c"], instance("p"))
    with pytest.raises(IncompatibleShapes, match="List that first"):
        ragged.native("x,b")


def test_what_does_not_fit():
    with pytest.raises(IncompatibleShapes, match=r"one level.*'a'"):
        layout(["a", "b"], batch("b"), spatial("x"))
    with pytest.raises(IncompatibleShapes, match="2 entries"):
        layout(["a", "b"], batch(b=3))
    with pytest.raises(IncompatibleShapes, match="labels away"):
        layout({"u": 1, "v": 2}, channel(k="v,u"))
    with pytest.raises(IncompatibleShapes, match="one order"):
        layout([{"u": 1, "v": 2}, {"v": 3, "u": 4}], batch("b"), channel("k"))
    with pytest.raises(IncompatibleShapes, match="layout"):
        wrap(["a", "b"], batch("b"))


def test_texts_and_functions_stack_to_objects():
    side = channel(side="left,right")
    for values in (["a", "b"], ["a", "a"], [len, len], [len, "a"]):
        assert math.stack(values, side) == layout(values, side)
    assert math.stack({"u": "a", "v": "a"}, channel("k")) == layout({"u": "a", "v": "a"}, channel("k"))
    assert math.stack(["a"] * 4, batch(b=2) & spatial(x=2)) == layout(
        [["a"] * 2] * 2, batch("b"), spatial("x")
    )
    assert math.stack([None, None], side) is None
    assert math.stack([{"name": "n"}, {"name": "n"}], side) == {"name": "n"}
    with pytest.raises(IncompatibleShapes, match="2 values"):
        math.stack(["a", "b"], batch(b=3))
    with pytest.raises(IncompatibleShapes, match="4 values"):
        math.stack(["a"] * 4, batch(b=2) & spatial(x=3))
    with pytest.raises(IncompatibleShapes, match="one structure"):
        math.stack(["a", 1.0], side)


def test_what_does_not_stack_is_laid_out_where_asked(backend):
    x, y = tensor([1.0, 2.0], spatial("x")), tensor([1.0, 2.0], spatial("y"))
    for values in ([x, "a"], [x, y], [{"a": x}, {"b": x}], [x, None]):
        with pytest.raises(IncompatibleShapes):
            math.stack(values, batch("b"))
        found = math.stack(values, batch("b"), layout_non_matching=True)
        assert found == layout(values, batch("b"))
    assert math.stack({"u": x, "v": y}, channel("k"), layout_non_matching=True)["v"] is y
    assert_close(math.stack([x, x], batch("b"), layout_non_matching=True), math.expand(x, batch(b=2)))
    with pytest.raises(IncompatibleShapes, match="2 values"):
        math.stack([x, y], batch(b=3), layout_non_matching=True)


def test_equal_values_are_simplified_where_asked(backend, execution):
    x = tensor([1.0, float("nan")], spatial("x"))
    assert math.stack([x, +x, x], batch("b"), simplify=True) is x
    assert math.stack(["a", "a"], batch("b"), simplify=True) == "a"
    assert math.stack([x, x + 1], batch("b"), simplify=True).shape == batch(b=2) & spatial(x=2)
    f = execution(lambda x, y: math.stack([x, y], batch("b"), simplify=True))
    if backend.supports >= {"jit"}:
        assert math.jit_compile(lambda x, y: math.stack([x, y], "b:b", simplify=True))(x, x).rank == 2
    assert f(x, x + 1).rank == 2


# --- slicing


def test_slices():
    x = table()
    assert x.x[0] == layout(["a", "d"], batch("b"))
    assert x.b[1].x[2] == x[{"x": -1, "b": 1}] == "f"
    assert x.x[1:].native("b,x") == [["b", "c"], ["e", "f"]]
    assert x.x[[2, 0]].native("b,x") == [["c", "a"], ["f", "d"]]
    assert x.x[5:].shape == batch(b=2) & spatial(x=0)
    assert x.x[wrap([True, False, True], spatial("x"))].native("b,x") == [["a", "c"], ["d", "f"]]
    assert x.x[wrap([1, 1], instance("p"))] == layout([["b", "b"], ["e", "e"]], batch("b"), instance("p"))
    assert x.x[wrap([1, 1], spatial("x"))] == layout([["b", "b"], ["e", "e"]], batch("b"), spatial("x"))
    with pytest.raises(IncompatibleShapes, match="new dim"):
        _ = x.x[wrap([1, 1], batch("b"))]
    with pytest.raises(IncompatibleShapes, match="indices or a mask"):
        _ = x.x[wrap([0.5, 1.0], spatial("x"))]
    assert x.x[wrap(1)] == x.x[1]
    named = layout({"u": 1, "v": 2, "w": 3}, channel("k"))
    assert named["w,u"] == named.k[["w", "u"]] == layout({"w": 3, "u": 1}, channel("k"))
    assert named["u,v->p,q"]["q"] == 2
    batch("absent_dim")
    assert named.absent_dim[0] == named
    with pytest.raises(IndexError, match="outside"):
        named.k[3]
    with pytest.raises(KeyError, match="z"):
        named["z"]
    with pytest.raises(AttributeError, match="never_seen_before"):
        named.never_seen_before  # noqa: B018 the access itself is tested
    with pytest.raises(IncompatibleShapes, match="one dim"):
        x.x[wrap([[True]], batch("b"), spatial("x"))]


def test_access():
    assert table().native("x,b") == [["a", "d"], ["b", "e"], ["c", "f"]]
    assert [x.native() for x in table().b] == TABLE
    assert math.unstack(table(), "b,x") == tuple("abcdef")
    assert len(table()) == 6
    assert table()
    assert not layout([], batch("b"))
    with pytest.raises(IncompatibleShapes, match="order of all dims"):
        table().native()


# --- structure


def test_structure():
    x = table()
    assert math.stack([x.b[0], x.b[1]], batch("b")) == x
    assert math.stack({"u": x, "v": x}, channel("k")).k["v"] == x
    assert math.stack([layout("a"), "b"], batch("b")) == layout(["a", "b"], batch("b"))
    assert math.concat([x.x[:1], x.x[1:]], "x") == x
    assert math.concat([layout({"u": 1}, channel("k")), layout({"v": 2}, channel("k"))], "k")["v"] == 2
    assert math.expand(layout("a"), batch(b=2)) == layout(["a", "a"], batch("b"))
    assert math.rename_dims(x, "x", instance("p")).p[0] == x.x[0]
    assert math.rename_dims(x, spatial, channel).shape == batch(b=2) & channel(x=3)
    packed = math.pack_dims(x, "x,b", instance("p"))
    assert packed.native() == ["a", "d", "b", "e", "c", "f"]
    assert math.unpack_dim(packed, "p", spatial(x=3), batch("b")) == x
    assert math.stack([x.b[0], layout(["g"], spatial("x"))], batch("b")).shape.get_size("x") == (3, 1)


def test_structure_that_does_not_fit():
    x = table()
    with pytest.raises(IncompatibleShapes, match="same other dims"):
        math.stack([x, x.b[0]], batch("c"))
    with pytest.raises(IncompatibleShapes, match="repeat labels"):
        math.concat([layout({"u": 1}, channel("k")), layout({"u": 2}, channel("k"))], "k")
    with pytest.raises(IncompatibleShapes, match="Use `stack`"):
        math.concat([x, x], "y")
    with pytest.raises(IncompatibleShapes, match="gives 6 entries"):
        math.pack_dims(x, "b,x", instance(p=5))
    with pytest.raises(IncompatibleShapes, match="multiply"):
        math.unpack_dim(x, "x", spatial(u=2, v=2))
    with pytest.raises(Unsupported, match=r"flip.*x\[::-1\]"):
        math.flip(x, "x")
    ragged = layout([["a", "b"], ["c"]], batch("b"), spatial("x"))
    with pytest.raises(IncompatibleShapes, match="would leave"):
        math.pack_dims(math.expand(ragged, channel(c=2)), "x,c", instance("p"))


def test_trees_with_objects(backend):
    tree = {"name": layout(["left", "right"], channel("side")), "value": tensor([1.0, 2.0], channel("side"))}
    assert math.shape(tree) == channel(side=2)
    assert math.slice(tree, {"side": 1})["name"] == "right"
    both = math.stack([tree, tree], batch("b"))
    assert both["name"].b[1] == tree["name"]
    doubled = math.tree_map(lambda x: 2 * x, tree)
    assert doubled["name"] is tree["name"]
    assert_close(doubled["value"], 2 * tree["value"])


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_objects_are_static_arguments_of_compiled_functions(backend):
    calls = []

    def f(names, x):
        calls.append(1)
        return x * len(names)

    compiled = math.jit_compile(f)
    for names in (["a"], ["a"], ["a", "b"]):
        assert compiled(layout(names, channel("k")), tensor(1.0)).item() == len(names)
    assert len(calls) == 2


# --- as values


def test_equality_text_and_copies():
    x = table()
    assert x == layout(TABLE, batch("b"), spatial("x"))
    assert x == math.rename_dims(layout([*zip(*TABLE, strict=True)], spatial("x"), batch("q")), "q", "b")
    assert x != x.x[:2]
    assert x != layout([["a"] * 3] * 2, batch("b"), spatial("x"))
    assert x != TABLE
    assert layout([np.zeros(2)], batch("b")) == layout([np.zeros(2)], batch("b"))
    assert layout([np.zeros(2)], batch("b")) != layout([np.ones(2)], batch("b"))
    assert layout([vec(x=1.0, y=2.0)], batch("b")) == layout([vec(x=1.0, y=2.0)], batch("b"))
    assert layout([vec(x=1.0, y=2.0)], batch("b")) != layout([vec(y=1.0, x=2.0)], batch("b"))
    assert hash(x) == hash(table())
    assert pickle.loads(pickle.dumps(x)) == copy.deepcopy(x) == x
    assert repr(x) == "(('a', 'b', 'c'), ('d', 'e', 'f')) along (b:b=2, x:s=3)"
    assert repr(layout({"u": 1, "v": "w"}, channel("k"))) == "(u=1, v='w')"
    assert repr(layout("a")) == "layout('a')"
    assert repr(math.expand(layout("a"), batch(b=99))) == "(b:b=99) str"


def test_no_arithmetic(backend):
    for operation in (lambda x: x + 1, lambda x: x * x, lambda x: tensor([1.0, 2.0], channel("k")) + x):
        with pytest.raises(TypeError):
            operation(layout([1, 2], channel("k")))


# --- Dict


def test_dict_attributes():
    d = Dict(a=1, b=Dict(c=2))
    assert d.a == d["a"] == 1
    assert d.b.c == 2
    assert "a" in dir(d)
    assert Dict(d, a=3).a == 3
    assert d.copy() == d
    assert isinstance(d.copy(), Dict)
    assert isinstance(d | {"e": 5}, Dict)
    assert (d | {"e": 5}).e == 5
    assert repr(d) == "Dict(a=1, b=Dict(c=2))"
    assert isinstance(pickle.loads(pickle.dumps(d)).b, Dict)
    assert isinstance(copy.deepcopy(d), Dict)
    with pytest.raises(AttributeError, match=r"no key `bb`.*Did you mean `b`"):
        d.bb  # noqa: B018 the access itself is tested
    with pytest.raises(AttributeError, match="read only"):
        d.a = 2


def test_dict_arithmetic(backend):
    d = Dict(a=tensor(6.0), b=vec(x=1.0, y=2.0))
    for result, a, b in [
        (d + d, 12.0, vec(x=2.0, y=4.0)),
        (d - {"a": 1.0, "b": 1.0}, 5.0, vec(x=0.0, y=1.0)),
        (1 - d, -5.0, vec(x=0.0, y=-1.0)),
        (6 / d, 1.0, vec(x=6.0, y=3.0)),
        (abs(-d) ** 2, 36.0, vec(x=1.0, y=4.0)),
        (round(d % 4), 2.0, vec(x=1.0, y=2.0)),
        ((Dict(d=d) * 2).d, 12.0, vec(x=2.0, y=4.0)),
    ]:
        assert isinstance(result, Dict)
        assert_close(result, Dict(a=wrap(a), b=b))
    assert_close((2 ** Dict(a=tensor(3.0))).a, wrap(8.0))
    assert (~Dict(a=tensor(True))).a.item() is False
    assert (+d).a is d.a
    with pytest.raises(IncompatibleShapes, match=r"'a', 'b'.*'a'"):
        d + {"a": 1}


@pytest.mark.needs("reverse")
def test_dict_is_a_tree(backend):
    d = Dict(values=tensor(2.0), items=tensor(3.0))
    assert isinstance(math.square(d), Dict)
    assert math.square(d)["values"].item() == 4
    stacked = math.stack([d, d], batch("b"))
    assert isinstance(stacked, Dict)
    assert stacked["items"].shape == batch(b=2)
    slope = math.gradient(lambda t: t["values"] * t["items"], get_output=False)(d)
    assert isinstance(slope, Dict)
    assert (slope["values"].item(), slope["items"].item()) == (3, 2)


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_dict_through_compiled_functions(backend):
    result = math.jit_compile(lambda d: d * 2)(Dict(a=tensor(2.0)))
    assert isinstance(result, Dict)
    assert result.a.item() == 4
