"""Files and dicts: everything comes back as it was, foreign files are refused, nothing of a file is run."""

import io
import json
import sys
import types
import zipfile
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Tensor, Unsupported, batch, channel, dual, instance, spatial, tensor, wrap
from phi_tensor.testing import assert_close

X = spatial(x=3)


@dataclass(frozen=True)
class Cloud:
    position: Tensor
    rule: Any = math.extrapolation.PERIODIC
    name: str = "dust"
    count: int = 1


class Pair(NamedTuple):
    a: Any
    b: Any


def values():
    data = np.arange(6.0).reshape(2, 3)
    x = tensor(data, batch("b"), spatial("x"))
    ragged = math.stack([tensor([1.0, 2.0], spatial("x")), tensor([3.0], spatial("x"))], batch("b"))
    return {
        "dense": x,
        "constant": math.zeros(X, batch(b=1000)),
        "number": tensor(1.5),
        "labels": math.vec(x=x, y=2.0),
        "dual": math.rename_dims(x, "b", dual("b")),
        "ragged": ragged,
        "ragged vectors": math.vec(x=ragged, y=ragged),
        "bool": x > 2,
        "int": tensor([[1, -2]], batch("b"), instance("i")),
        "complex": tensor([1 + 2j, complex(math.NAN, 1), complex(1, -math.INF)], spatial("x")),
        "special": tensor([math.NAN, math.INF, -math.INF, -0.0], spatial("x")),
        "empty": tensor(np.zeros((0, 2)), batch("b"), channel(vector="x,y")),
    }


@pytest.mark.parametrize("name", values())
def test_tensors_come_back(name, backend, tmp_path):
    x = values()[name]
    math.save(tmp_path / "x.npz", x)
    found = math.load(tmp_path / "x.npz")
    assert_close(found, x)
    assert (found.shape.names, found.dtype) == (x.shape.names, x.dtype)
    assert found.layout is x.layout
    assert found.backend is math.default_backend()


@pytest.mark.parametrize("name", values())
def test_dicts_of_tensors_come_back(name, backend):
    x = values()[name]
    text = json.dumps(math.to_dict(x), allow_nan=False)
    found = math.from_dict(json.loads(text))
    assert_close(found, x)
    assert (found.shape.names, found.dtype) == (x.shape.names, x.dtype)
    assert found.backend.name == "numpy"
    assert math.from_dict(json.loads(text), convert=True).backend is math.default_backend()


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_every_precision_comes_back_exactly(bits, backend, tmp_path, rng):
    with math.precision(bits):
        x = tensor(rng.normal(size=5), spatial("x")) / 3
    math.save(tmp_path / "x.npz", x)
    for found in (math.load(tmp_path / "x.npz"), math.from_dict(math.to_dict(x))):
        assert found.dtype == x.dtype == math.DType(float, bits)
        assert np.array_equal(found.numpy(), x.numpy())


def test_dicts_of_shapes_come_back():
    ragged = values()["ragged"].shape
    for shape in (X & channel(vector="x,y") & dual(y=None), ragged, math.EMPTY_SHAPE):
        found = math.from_dict(json.loads(json.dumps(math.to_dict(shape))))
        assert found is shape


def test_dicts_are_checked():
    with pytest.raises(ValueError, match="to_dict"):
        math.from_dict({"a": 1})
    with pytest.raises(ValueError, match="to_dict"):
        math.from_dict({"dims": [], "dtype": "float32"})
    with pytest.raises(TypeError, match="list"):
        math.to_dict([1])


def test_trees_come_back(backend, tmp_path):
    x = tensor([1.0, 2.0], spatial("x"))
    tree = {
        "cloud": [Cloud(x), Cloud(2 * x, math.extrapolation.ConstantExtrapolation(x), "gas", 3)],
        "tuple": (Pair(x, None), (), [], {}),
        1: "text",
        ("a", 2): [True, 3, 2**70, 1.5, math.NAN, -math.INF, 1 - 2j],
        "description": [X, x.dtype, slice(1, None), slice(None, None, -1)],
        None: np.arange(3, dtype=np.int16),
        "objects": (math.Dict(a=x), math.layout([["a", None], ["b", x]], batch("b"), spatial("x"))),
    }
    math.save(tmp_path / "new" / "folder" / "tree", tree)
    found = math.load(tmp_path / "new" / "folder" / "tree")
    assert [p.name for p in tmp_path.glob("new/folder/*")] == ["tree"]
    assert_close(found["cloud"], tree["cloud"])
    assert found["cloud"][1].rule == tree["cloud"][1].rule
    assert type(found["tuple"][0]) is Pair
    assert found["tuple"][1:] == tree["tuple"][1:]
    assert_close(found["tuple"][0].a, x)
    assert repr(found["a", 2]) == repr(tree["a", 2])
    assert found["description"] == tree["description"]
    assert type(found["objects"][0]) is math.Dict
    assert found["objects"][1].shape == tree["objects"][1].shape
    assert list(found["objects"][1])[:3] == ["a", None, "b"]
    assert (found[1], found[None].dtype, found[None].tolist()) == ("text", np.int16, [0, 1, 2])


def test_shared_arrays_are_kept_once(tmp_path):
    x = wrap(np.zeros(1000), spatial("x"))
    math.save(tmp_path / "x.npz", [x] * 10)
    assert (tmp_path / "x.npz").stat().st_size < 2 * 8000
    found = math.load(tmp_path / "x.npz")
    assert found[0].natives[0] is found[9].natives[0]


def test_large_trees(tmp_path):
    tree = [{"x": wrap(np.full(2, float(i)), spatial("x")), "i": i} for i in range(500)]
    math.save(tmp_path / "x.npz", tree)
    assert_close(math.load(tmp_path / "x.npz"), tree)


def test_a_file_appears_complete_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "x.npz"
    math.save(file, {"a": 1})

    def fails(stream, **arrays):
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="disk full"):
        math.save(file, {"a": 2})
    assert math.load(file) == {"a": 1}
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(FileNotFoundError):
        math.save(tmp_path / "no" / "folder.npz", 1, mkdir=False)


def test_what_cannot_be_saved_is_named(tmp_path, backend):
    @dataclass(frozen=True)
    class Local:
        x: Any

    for obj, place in (
        ({"a": [1, {2}]}, r"obj\['a'\]\[1\].*set"),
        (Cloud(lambda: 0), r"obj\.position.*function"),
        ([Local(1)], r"obj\[0\].*Local.*top of a module"),
        ([np.array([object()])], "array of object"),
        ([np.array(["a"])], "array of"),
    ):
        with pytest.raises(TypeError, match=place):
            math.save(tmp_path / "x.npz", obj)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.compiled
@pytest.mark.needs("jit")
def test_tensors_without_numbers_are_not_saved(tmp_path, backend):
    for function in (lambda x: math.save(tmp_path / "x.npz", x), math.to_dict):
        with pytest.raises(Unsupported, match="Return it"):
            math.jit_compile(lambda x, function=function: function(x) or x)(tensor(1.0))


def edited(file, change):
    """File whose description was changed by `change(description)`."""
    with np.load(file) as archive:
        arrays = dict(archive)
    description = json.loads(arrays["description"].tobytes())
    change(description)
    arrays["description"] = np.frombuffer(json.dumps(description).encode(), np.uint8)
    np.savez(file, **arrays)


def deep(entry, *keys):
    for key in keys:
        entry = entry[key]
    return entry


def test_foreign_files_are_refused(tmp_path):
    file = tmp_path / "x.npz"
    with pytest.raises(FileNotFoundError):
        math.load(file)
    file.write_bytes(b"nothing of ours")
    with pytest.raises(ValueError, match="no archive"):
        math.load(file)
    with file.open("wb") as stream:
        np.save(stream, np.zeros(3))
    with pytest.raises(ValueError, match="no archive"):
        math.load(file)
    np.savez(file, a=np.zeros(3))
    with pytest.raises(ValueError, match="description"):
        math.load(file)
    np.savez(file, description=np.frombuffer(b'{"format": "other"}', np.uint8))
    with pytest.raises(ValueError, match="format"):
        math.load(file)
    np.savez(file, description=np.array([{"format": "phi-tensor"}], object))
    with pytest.raises(ValueError, match=r"allow_pickle|Object arrays"):
        math.load(file)


CHANGES = {
    "size": lambda d: deep(d, "tree", "tensor", "layout", "dims", 0).update(size=4),
    "stored": lambda d: deep(d, "tree", "tensor", "layout").update(stored=["y"]),
    "type": lambda d: deep(d, "tree", "tensor", "layout", "dims", 0).update(type="time"),
    "dtype": lambda d: deep(d, "tree", "tensor").update(dtype="int8"),
    "number of arrays": lambda d: deep(d, "tree", "tensor").update(arrays=[]),
    "missing array": lambda d: deep(d, "tree", "tensor").update(arrays=[7]),
    "kind": lambda d: d.update(tree={"code": "print()"}),
    "two kinds": lambda d: d.update(tree={"tuple": [], "list": []}),
    "no tree": lambda d: d.pop("tree"),
    "no version": lambda d: d.pop("version"),
    "list": lambda d: d.update(tree={"tensor": [1]}),
    "parts": lambda d: deep(d, "tree", "tensor").update(
        layout={"dims": deep(d, "tree", "tensor", "layout", "dims"), "along": "x", "parts": []}
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_descriptions_are_refused(name, tmp_path):
    math.save(tmp_path / "x.npz", wrap([1.0, 2.0, 3.0], spatial("x")))
    edited(tmp_path / "x.npz", CHANGES[name])
    with pytest.raises(ValueError, match=r"load\('.*Save it again"):
        math.load(tmp_path / "x.npz")


def test_damaged_files_are_refused(tmp_path):
    file = tmp_path / "x.npz"
    math.save(file, wrap(np.arange(1000.0), spatial("x")))
    whole = file.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:5000] + b"other bytes" + whole[5011:], whole[100:]):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="Save it again"):
            math.load(file)


def test_newer_files_are_refused(tmp_path):
    math.save(tmp_path / "x.npz", 1)
    edited(tmp_path / "x.npz", lambda d: d.update(version=2))
    with pytest.raises(Unsupported, match=r"version 2.*Update"):
        math.load(tmp_path / "x.npz")


def test_files_run_nothing(tmp_path, monkeypatch):
    file, ran = tmp_path / "x.npz", []
    (tmp_path / "evil_module.py").write_text("raise SystemExit('ran')")
    monkeypatch.syspath_prepend(tmp_path)
    lazy = types.ModuleType("lazy_module")
    lazy.__getattr__ = lambda name: ran.append(name)
    monkeypatch.setitem(sys.modules, "lazy_module", lazy)
    for name in ("evil_module:Cloud", "lazy_module:Cloud", "builtins:print", "os:system", "subprocess:Popen"):
        math.save(file, Cloud(1))
        edited(file, lambda d, name=name: d["tree"]["object"].update({"class": name}))
        with pytest.raises(Unsupported, match=name.split(":")[1]):
            math.load(file)
    math.save(file, Pair(1, 2))
    edited(file, lambda d: d["tree"]["named"].update({"class": "builtins:tuple"}))
    with pytest.raises(Unsupported, match="tuple"):
        math.load(file)
    assert ran == []
    assert "evil_module" not in sys.modules


def test_classes_that_changed(tmp_path):
    math.save(tmp_path / "x.npz", Cloud(1, name="gas"))
    edited(tmp_path / "x.npz", lambda d: d["tree"]["object"]["fields"].pop("count"))
    assert math.load(tmp_path / "x.npz") == Cloud(1, name="gas", count=1)
    edited(tmp_path / "x.npz", lambda d: d["tree"]["object"]["fields"].update(colour=1))
    with pytest.raises(Unsupported, match="colour"):
        math.load(tmp_path / "x.npz")


def test_files_are_archives_of_numpy(tmp_path):
    math.save(tmp_path / "x.npz", wrap([1.0, 2.0], spatial("x")))
    assert zipfile.ZipFile(tmp_path / "x.npz").testzip() is None
    with np.load(io.BytesIO((tmp_path / "x.npz").read_bytes())) as archive:
        assert sorted(archive) == ["0", "description"]
        assert archive["0"].tolist() == [1, 2]


@pytest.mark.interop
def test_files_of_all_backends_are_the_same(tmp_path):
    files = {}
    for name in ("numpy", "torch", "jax", "tensorflow"):
        with math.on_backend(name):
            math.save(tmp_path / name, values())
        files[name] = (tmp_path / name).read_bytes()
    for source in files:
        with np.load(tmp_path / source) as a, np.load(tmp_path / "numpy") as b:
            assert a["description"].tobytes() == b["description"].tobytes()
            assert all(np.array_equal(a[key], b[key], equal_nan=a[key].dtype.kind in "fc") for key in b)
        for target in files:
            with math.on_backend(target):
                found = math.load(tmp_path / source)
            assert {x.backend.name for x in found.values()} == {target}
            assert_close(math.convert(found, "numpy"), math.convert(values(), "numpy"))
