"""Fourier, cosine and sine transforms against SciPy, their inverses, storage and derivatives."""

import numpy as np
import pytest
from scipy import fft as oracle

import phi_tensor as math
from phi_tensor import batch, channel, spatial, tensor, vec
from phi_tensor.ops import _real_transforms
from phi_tensor.ops._signal import (
    dct,
    dst,
    fft,
    fftfreq,
    fourier_laplace,
    fourier_poisson,
    idct,
    idst,
    ifft,
    irfft,
    rfft,
)
from phi_tensor.testing import assert_close

PAIRS = [(dct, oracle.dct), (dst, oracle.dst), (idct, oracle.idct), (idst, oracle.idst)]


@pytest.fixture(autouse=True)
def double_precision():
    with math.precision(64):
        yield


@pytest.fixture(params=["product", "fft"])
def way(request, monkeypatch):
    """Both ways to compute a transform, whatever is faster at the size."""
    longest = 10_000 if request.param == "product" else 0
    for name in ("LONGEST_PRODUCT", "LONGEST_PRODUCT_OF_ODD_SIZES", "LONGEST_PRODUCT_BESIDE_NATIVE"):
        monkeypatch.setattr(_real_transforms, name, longest)
    clear()
    yield request.param
    clear()


def clear():
    from phi_tensor._plan import clear_plans

    clear_plans()


@pytest.mark.parametrize("n", [2, 3, 8, 9, 96, 100, 127])
@pytest.mark.parametrize("orthonormal", [False, True])
def test_real_transforms_equal_scipy(n, orthonormal, way, backend, rng):
    a = rng.standard_normal((3, n, 2))
    x = tensor(a, batch("b"), spatial("x"), channel("c"))
    for ours, theirs in PAIRS:
        for kind in (1, 2, 3, 4):
            expected = theirs(a, kind, axis=1, norm="ortho" if orthonormal else None)
            found = ours(x, type=kind, orthonormal=orthonormal).numpy("b,x,c")
            np.testing.assert_allclose(
                found, expected, rtol=1e-9, atol=1e-10 * n, err_msg=f"{ours.__name__} {kind}"
            )


@pytest.mark.parametrize("sizes", [(5,), (6, 5), (4, 3, 5)])
def test_all_spatial_dims(sizes, backend, rng):
    a = rng.standard_normal(sizes)
    x = tensor(a, *(spatial(name) for name in "xyz"[: len(sizes)]))
    order = x.shape.names
    np.testing.assert_allclose(dct(x).numpy(order), oracle.dctn(a), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(fft(x).numpy(order), oracle.fftn(a), rtol=1e-10, atol=1e-11)
    assert_close(idst(dst(x)), x, atol=1e-12)
    assert_close(ifft(fft(x)).real, x, atol=1e-12)


@pytest.mark.parametrize("sizes", [(1,), (5,), (7, 5), (3, 4, 5), (2, 3, 5, 2)])
def test_complex_values_and_odd_sizes(sizes, backend, rng):
    a = rng.standard_normal(sizes) + 1j * rng.standard_normal(sizes)
    x = tensor(a, *(spatial(name) for name in "xyzw"[: len(sizes)]))
    order = x.shape.names
    np.testing.assert_allclose(fft(x).numpy(order), oracle.fftn(a), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(ifft(x).numpy(order), oracle.ifftn(a), rtol=1e-10, atol=1e-11)
    np.testing.assert_allclose(fft(x, "x").numpy(order), oracle.fft(a, axis=0), rtol=1e-10, atol=1e-11)
    laplacian = fourier_laplace(x, 0.5)
    assert laplacian.dtype.kind is complex
    assert_close(laplacian, fourier_laplace(x.real, 0.5) + 1j * fourier_laplace(x.imag, 0.5), atol=1e-10)
    assert_close(fourier_poisson(laplacian, 0.5), x - math.mean(x), atol=1e-10)
    assert fft(tensor(rng.integers(0, 5, 5), spatial("x"))).dtype.kind is complex


@pytest.mark.parametrize("sizes", [(5,), (4, 6), (4, 3, 5), (2, 3, 4, 5)])
def test_real_values_need_half_of_the_frequencies(sizes, backend, rng):
    a = rng.standard_normal(sizes)
    names = ",".join("wxyz"[: len(sizes)])
    x = tensor(a, spatial(names))
    half = rfft(x, names)
    np.testing.assert_allclose(half.numpy(names), np.fft.rfftn(a), rtol=1e-10, atol=1e-11)
    assert half.dtype.kind is complex
    assert irfft(half, names, sizes[-1]).dtype.kind is float
    assert_close(irfft(half, names, sizes[-1]), x, atol=1e-12)
    first = names[0]  # the listed order decides, not the order of storage
    turned = ",".join(reversed(names.split(",")))
    axes = tuple(range(len(sizes)))[::-1]
    np.testing.assert_allclose(rfft(x, turned).numpy(names), np.fft.rfftn(a, axes=axes), atol=1e-11)
    assert rfft(x, turned).shape.get_size(first) == sizes[0] // 2 + 1


def test_native_complex_numbers_keep_infinities(backend):
    ops = math.default_backend().ops
    real, imaginary = (math.tensor(v, spatial("x")).native("x") for v in ([1.0, np.inf], [np.inf, -2.0]))
    found = math.default_backend().to_numpy(ops["complex"](real, imaginary))
    np.testing.assert_array_equal(found.real, [1, np.inf])
    np.testing.assert_array_equal(found.imag, [np.inf, -2])


def test_half_transforms_tell_what_they_need(backend):
    x = math.ones(spatial(x=4, y=4))
    with pytest.raises(math.IncompatibleShapes, match="'x,y'"):
        rfft(x, spatial)
    with pytest.raises(math.IncompatibleShapes, match="List names"):
        rfft(x, "x,z")
    with pytest.raises(math.Unsupported, match="Use `fft`"):
        rfft(x * 1j, "x")
    with pytest.raises(math.IncompatibleShapes, match="more than one"):
        irfft(x.x[:1], "x")
    with pytest.raises(math.IncompatibleShapes, match="at least one"):
        irfft(x, "x", 0)


def test_parts_and_constants(backend, rng):
    a = tensor(rng.standard_normal((6, 5, 2)), spatial("x,y"), channel("c"))
    stacked = math.stack([a.c[0], a.c[1]], channel("c"))
    assert_close(dct(stacked), dct(a), atol=1e-12)
    assert_close(fft(stacked).imag, fft(a).imag, atol=1e-12)
    np.testing.assert_allclose(dct(math.ones(spatial(x=4))).numpy(), oracle.dct(np.ones(4)), atol=1e-14)
    with pytest.raises(math.Unsupported, match="real"):
        dct(fft(a))


def test_frequencies(backend):
    k = fftfreq(spatial(x=4, y=3), vec(x=0.5, y=1.0))
    np.testing.assert_allclose(k.vector["x"].y[0].numpy(), np.fft.fftfreq(4, 0.5))
    np.testing.assert_allclose(k.vector["y"].x[0].numpy(), np.fft.fftfreq(3))


def test_laplace_of_waves_is_exact(backend):
    x, y = np.meshgrid(np.arange(16) / 16 * 2 * np.pi, np.arange(15) / 15 * 2 * np.pi, indexing="ij")
    wave, dx = tensor(np.sin(2 * x) * np.cos(y), spatial("x,y")), vec(x=2 * np.pi / 16, y=2 * np.pi / 15)
    assert_close(fourier_laplace(wave, dx), -5 * wave, atol=1e-11)
    assert_close(fourier_laplace(wave, dx, times=2), 25 * wave, atol=1e-9)
    assert_close(fourier_poisson(wave + 3, dx), -wave / 5, atol=1e-12)


@pytest.mark.needs("reverse")
@pytest.mark.parametrize("transform", [dct, dst, idct, idst])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_real_transforms_are_differentiable_twice(transform, kind, way, backend, rng):
    x, w = (tensor(rng.standard_normal((6, 5)), spatial("x,y")) for _ in range(2))
    first = math.gradient(lambda v: math.sum(transform(v, type=kind) ** 2), get_output=False)
    along = math.sum(transform(x, type=kind) * transform(w, type=kind))
    assert_close(math.sum(first(x) * w), 2 * along, rtol=1e-9)
    second = math.gradient(lambda v: math.sum(first(v) * w), get_output=False)(x)
    assert_close(second, first(w), rtol=1e-9, atol=1e-9)


@pytest.mark.needs("reverse")
def test_poisson_is_differentiable(backend, rng):
    x, w = (tensor(rng.standard_normal((6, 5)), spatial("x,y")) for _ in range(2))
    gradient = math.gradient(lambda v: math.sum(fourier_poisson(v) * w), get_output=False)(x)
    assert_close(gradient, fourier_poisson(w), atol=1e-12, because="the operator is symmetric")


@pytest.mark.needs("jit")
@pytest.mark.compiled
def test_compiled_transforms(way, backend, rng):
    x = tensor(rng.standard_normal((6, 5)), spatial("x,y"))
    assert_close(math.jit_compile(lambda v: idct(dct(v) * 2))(x), 2 * x, atol=1e-12)
