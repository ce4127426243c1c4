"""Derivatives and loops of the JAX backend: all nestings, eager and compiled, against central differences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from phi_tensor.testing.plugin import requested_backends

if "jax" not in requested_backends():
    pytest.skip("jax is not requested", allow_module_level=True)

import jax
import jax.numpy as jnp

from phi_tensor._errors import Unsupported
from phi_tensor.backends._jax import BACKEND

OPS = BACKEND.ops
RNG = np.random.default_rng(0)
COMPLEX = RNG.normal(size=(3, 4)) + 1j * RNG.normal(size=(3, 4))


def native(array: Any) -> Any:
    return BACKEND.as_native(np.asarray(array))


def agrees(actual: Any, desired: Any, rtol: float = 1e-12) -> None:
    desired = np.asarray(desired)
    assert actual.dtype == desired.dtype
    np.testing.assert_allclose(BACKEND.to_numpy(actual), desired, rtol=rtol, atol=rtol)


X = native(np.array([0.3, 0.7, 1.1]))
V, W = native(np.array([0.9, -0.4, 0.6])), native(np.array([-0.2, 1.3, 0.5]))
STRETCH = native(np.array([1.0, 2.0, 3.0]))


def smooth(x: Any) -> tuple[Any]:
    return (jnp.sin(x) * jnp.exp(x) + x**3,)


def round_trip(x: Any) -> tuple[Any]:
    return (OPS["irfft"](OPS["rfft"](x, (0,)) ** 2, 3, (0,)),)


def ruled(x: Any) -> tuple[Any]:
    """A rule with captured arrays, one of them traced but constant, and an int argument."""
    traced = jax.lax.stop_gradient(x) * 0 + STRETCH

    def pullback(primals: Any, outputs: Any, cotangents: Any) -> Any:
        (a, n), (c, _) = primals, cotangents
        return c * traced * (jnp.cos(a) * a + jnp.sin(a)), jnp.zeros_like(n)

    f = BACKEND.custom_gradient(lambda a, n: (jnp.sin(a) * a * traced, n), pullback)
    return (f(x * x, jnp.arange(3))[0] * x,)


def divided(b: Any, a: Any) -> tuple[Any]:
    """`b / a` by iteration; its pullback is again such a solve, as in linear systems."""

    def solve(b: Any, a: Any) -> tuple[Any]:
        return BACKEND.while_loop(
            lambda s: jnp.max(jnp.abs(a * s[0] - b)) > 1e-14,
            lambda s: (s[0] - 0.5 * (a * s[0] - b),),
            (b * 0,),
        )

    def pullback(primals: Any, outputs: Any, cotangents: Any) -> Any:
        (c,) = divided(cotangents[0], primals[1])
        return c, -c * outputs[0]

    return BACKEND.custom_gradient(solve, pullback)(b, a)


def solved(x: Any) -> tuple[Any]:
    return divided(jnp.sin(x), 1 + 0.3 * x)


def hidden(x: Any) -> tuple[Any]:
    """A pullback that calls a rule which captures a traced array of that pullback."""

    def pullback(primals: Any, outputs: Any, cotangents: Any) -> Any:
        b, a = primals
        inner = BACKEND.custom_gradient(lambda c: (c / a,), lambda p, o, c: (c[0] / a,))
        (c,) = inner(cotangents[0])
        return c, -jnp.conj(c) * b / a

    return BACKEND.custom_gradient(lambda b, a: (b / a,), pullback)(jnp.sin(x), 1 + x)


def rolled_out(checkpoint: int | None, divide: Callable[..., tuple[Any]]) -> Callable[[Any], tuple[Any]]:
    def f(x: Any) -> tuple[Any]:
        def step(s: Any) -> Any:
            return divide(jnp.sin(s[0]) * x + s[0], 1 + 0.1 * x), (s[0] ** 2,)

        (end,), (squares,) = BACKEND.scan(step, (x,), 7, checkpoint)
        return (end + jnp.sum(squares, 0),)

    return f


def looped(x: Any) -> tuple[Any]:
    return BACKEND.while_loop(lambda s: jnp.sum(s[0]) < 20, lambda s: (s[0] * 1.3 + jnp.sin(x),), (x,), 20)


def mapped(x: Any) -> tuple[Any]:
    return BACKEND.map_leading(lambda a: divided(a, 1 + a**2), (x,))


def along(f: Callable[[Any], Any], mode: str) -> Callable[[Any], Any]:
    """The derivative of `f` by `x`: forward along `V` or reverse of `W`."""
    if mode == "f":
        return lambda x: (BACKEND.jvp(f, (x,), (V,))[1][0],)
    return lambda x: BACKEND.vjp(lambda y: (f(y), ()), (x,))[1]((W,))


def differences(f: Callable[[Any], Any], mode: str) -> Any:
    h = 1e-5
    if mode == "f":
        return (f(X + h * V)[0] - f(X - h * V)[0]) / (2 * h)
    return jnp.stack([jnp.sum(W * (f(X + h * e)[0] - f(X - h * e)[0])) / (2 * h) for e in jnp.eye(3)])


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "smooth": smooth,
    "fft": round_trip,
    "custom_gradient": ruled,
    "solve": solved,
    "scan": rolled_out(None, divided),
    "scan-blocks": rolled_out(3, lambda b, a: (b / a,)),
    "while_loop": looped,
    "map": mapped,
}


@pytest.mark.compiled
@pytest.mark.parametrize("inner", ["f", "r"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_nested_derivatives(name: str, inner: str) -> None:
    f = FUNCTIONS[name]
    first = along(f, inner)
    np.testing.assert_allclose(first(X)[0], differences(f, inner), rtol=1e-7, atol=1e-7)
    fast = BACKEND.compile(first, (X,))
    np.testing.assert_allclose(fast(X)[0], first(X)[0], rtol=1e-12)
    for outer in "fr":
        second = along(first, outer)
        found = BACKEND.compile(second, (X,))(X)[0]
        np.testing.assert_allclose(found, differences(fast, outer), rtol=1e-7, atol=1e-7)
        np.testing.assert_allclose(second(X)[0], found, rtol=1e-10, atol=1e-12)


def test_derivative_by_a_captured_array_is_refused() -> None:
    np.testing.assert_allclose(along(hidden, "r")(X)[0], differences(hidden, "r"), rtol=1e-7)
    for mode in "fr":
        with pytest.raises(Unsupported, match="Pass the array as an argument"):
            along(along(hidden, "r"), mode)(X)
    scale = BACKEND.custom_gradient(lambda b: (b * 2,), lambda p, o, c: (c[0] * 2,))
    captured = along(
        lambda x: BACKEND.custom_gradient(lambda b: (b * x,), lambda p, o, c: (c[0] * x,))(STRETCH), "r"
    )
    with pytest.raises(Unsupported, match="stop_gradient"):
        captured(X)
    agrees(along(scale, "r")(X)[0], np.asarray(W) * 2)


def test_ints_have_zero_derivatives_and_aux_passes() -> None:
    def f(x: Any, n: Any) -> Any:
        return (x * n, n + 1), (x * 2,)

    n = native(np.array([1, 2, 3]))
    outputs, pullback, aux = BACKEND.vjp(f, (X, n))
    agrees(aux[0], np.asarray(X) * 2)
    for _ in range(2):
        cx, cn = pullback((W, n))
        agrees(cx, np.asarray(W) * [1, 2, 3])
        agrees(cn, np.zeros(3, np.int64))
    _, tangents = BACKEND.jvp(lambda *a: f(*a)[0], (X, n), (V, n))
    agrees(tangents[1], np.zeros(3, np.int64))
    agrees(outputs[1], np.array([2, 3, 4]))


def test_complex_pullback_is_the_adjoint() -> None:
    z, c = native(COMPLEX), native(COMPLEX[::-1].copy())
    (pulled,) = BACKEND.vjp(lambda z: ((z * (2 + 1j),), ()), (z,))[1]((c,))
    agrees(pulled, np.asarray(c) * (2 - 1j))
    custom = BACKEND.custom_gradient(lambda z: (z * (2 + 1j),), lambda p, o, c: (c[0] * (2 - 1j),))
    agrees(BACKEND.vjp(lambda z: (custom(z), ()), (z,))[1]((c,))[0], np.asarray(c) * (2 - 1j))
    agrees(BACKEND.jvp(custom, (z,), (c,))[1][0], np.asarray(c) * (2 + 1j))


def test_stop_gradient() -> None:
    (pulled,) = BACKEND.vjp(lambda x: ((x * BACKEND.stop_gradient(x),), ()), (X,))[1]((W,))
    agrees(pulled, np.asarray(X * W))


# --- loops


@pytest.mark.parametrize("count", [8, 64])
def test_scan_traces_its_step_a_constant_number_of_times(count: int) -> None:
    traces: list[int] = []

    def loss(x: Any) -> Any:
        def step(s: Any) -> Any:
            traces.append(1)
            return (jnp.sin(s[0]),), ()

        return BACKEND.scan(step, (x,), count)[0], ()

    BACKEND.compile(lambda x: BACKEND.vjp(loss, (x,))[1]((W,)), (X,))
    assert len(traces) == 1


def test_eager_scan_runs_step_by_step_on_numbers() -> None:
    seen: list[float] = []

    def step(s: Any) -> Any:
        seen.append(float(s[0][0]))
        return (s[0] * 2,), (s[0],)

    (end,), (all_states,) = BACKEND.scan(step, (native(np.ones(1)),), 3)
    assert seen == [1, 2, 4]
    agrees(end, [8.0])
    agrees(all_states, [[1.0], [2.0], [4.0]])


def test_scan_of_no_steps() -> None:
    def f(x: Any) -> Any:
        (end,), (outputs,) = BACKEND.scan(lambda s: ((s[0] + 1,), (s[0],)), (x,), 0)
        return end, outputs

    for run in (f, BACKEND.compile(f, (X,))):
        end, outputs = run(X)
        agrees(end, X)
        assert outputs.shape == (0, 3)


@pytest.mark.compiled
def test_memory_of_scan_grows_with_the_root_of_the_count() -> None:
    x = native(np.ones((64, 64)))

    def states(checkpoint: int | None) -> float:
        def roll_out(y: Any) -> Any:
            return BACKEND.scan(lambda s: ((jnp.sin(jnp.cos(s[0]) * s[0]),), ()), (y,), 256, checkpoint)[
                0
            ], ()

        graph = jax.jit(lambda y: BACKEND.vjp(roll_out, (y,))[1]((y,))).lower(x).compile()
        return graph.memory_analysis().temp_size_in_bytes / x.nbytes

    assert states(16) < 40  # 16 + 16 states and a few more; 256 where each is kept
    assert 250 < states(None) < 270


def test_reverse_of_an_unbounded_loop_is_refused() -> None:
    def f(x: Any) -> Any:
        return BACKEND.while_loop(lambda s: jnp.sum(s[0]) < 20, lambda s: (s[0] * 2,), (x,)), ()

    with pytest.raises(Unsupported, match="limit=n"):
        BACKEND.vjp(f, (X,))[1]((W,))
    moved = BACKEND.jvp(lambda x: f(x)[0], (X,), (V,))[1][0]
    agrees(moved, np.asarray(V) * 16)


def test_wrong_pullback_shape_is_refused() -> None:
    f = BACKEND.custom_gradient(lambda x: (x * 2,), lambda p, o, c: (jnp.sum(c[0]),))
    with pytest.raises(ValueError, match="one gradient per argument"):
        BACKEND.vjp(lambda x: (f(x), ()), (X,))
