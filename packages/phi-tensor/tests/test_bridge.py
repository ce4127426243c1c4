"""Functions of one library called and differentiated from another one."""

import itertools

import numpy as np
import pytest

import phi_tensor as math
from phi_tensor import Unsupported, batch, channel, spatial, tensor, wrap
from phi_tensor.testing import assert_close

pytestmark = pytest.mark.interop
PERIODIC = math.extrapolation.as_extrapolation("periodic")
LEARNING = ("torch", "jax", "tensorflow")


def simulate(state, k=2.0):
    """A few steps of a nonlinear smoother."""
    u = state["u"]
    for _ in range(3):
        u = u + 0.1 * k * math.laplace(u, padding=PERIODIC) - 0.01 * u**3
    return {"u": u, "energy": math.l2_loss(u)}


def state(source, rng):
    data = rng.normal(size=(2, 8)).astype(np.float32)
    return {"u": math.convert(wrap(data, batch("b"), spatial("x")), source)}


@pytest.mark.parametrize(("source", "target"), list(itertools.permutations(LEARNING, 2)))
def test_values_and_gradients_cross(source, target, rng):
    start = state(source, rng)
    with math.on_backend(source):
        f = math.computed_on(simulate, target)
        result = f(start)
        assert result["u"].backend.name == source
        assert_close(result, simulate(start), rtol=1e-4)
        if source == "jax":
            with pytest.raises(Unsupported, match="jax"):
                math.gradient(lambda s: f(s)["energy"])(start)
            return
        found = math.gradient(lambda s: f(s)["energy"], get_output=False)(start)
        expected = math.gradient(lambda s: simulate(s)["energy"], get_output=False)(start)
        assert_close(found, expected, rtol=1e-4)
        with pytest.raises(Unsupported, match=target):
            math.jit_compile(f)(start)
        with pytest.raises(Unsupported, match="first derivatives"):
            math.gradient(
                lambda s: math.sum(
                    math.gradient(lambda s: f(s)["energy"], get_output=False)(s)["u"] ** 2, spatial
                )
            )(start)


@pytest.mark.parametrize("target", LEARNING)
def test_numpy_may_call(target, rng):
    start = state("numpy", rng)
    result = math.computed_on(simulate, target)(start, k=1.0)
    assert result["u"].backend.name == "numpy"
    assert_close(result, simulate(start, k=1.0), rtol=1e-4)
    same = math.convert(start, target)
    assert math.computed_on(simulate, target)(same)["u"].backend.name == target


@pytest.mark.parametrize("jit", [False, True])
def test_gradients_of_a_torch_module_are_those_of_pure_torch(jit, rng):
    """A network in front of a solver on JAX has the loss and gradients of a program in torch alone."""
    import torch

    def simulated(u, k=2.0):
        for _ in range(3):
            u = u + 0.1 * k * (torch.roll(u, 1, -1) + torch.roll(u, -1, -1) - 2 * u) - 0.01 * u**3
        return u

    data = torch.tensor(rng.normal(size=(4, 8)))
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 8)).double()
    expected_loss = (simulated(network(data)) ** 2).sum() / 2
    expected = torch.autograd.grad(expected_loss, list(network.parameters()))
    with math.on_backend("torch"), math.precision(64):
        solver = math.computed_on(simulate, "jax", jit=jit)
        state = {"u": wrap(network(data), batch("b"), spatial("x"))}
        loss = math.sum(solver(state)["energy"], "b")
        loss.native().backward()
    np.testing.assert_allclose(float(loss), expected_loss.item(), rtol=1e-12)
    for parameter, gradient in zip(network.parameters(), expected, strict=True):
        np.testing.assert_allclose(parameter.grad, gradient, rtol=1e-10, atol=1e-12)


def test_torch_module_trains_through_jax(rng):
    """Parameters after some steps are those of the same program within torch."""
    import torch

    torch.manual_seed(0)
    network = torch.nn.Linear(8, 8)
    data = tensor(rng.normal(size=(4, 8)).astype(np.float32), batch("b"), spatial("x"))
    target = math.zeros(batch(b=4), spatial(x=8))

    def parameters_after(solver, steps):
        net = torch.nn.Linear(8, 8)
        net.load_state_dict(network.state_dict())
        optimiser = torch.optim.SGD(net.parameters(), 0.05)
        losses = []
        for _ in range(steps):
            optimiser.zero_grad()
            with math.on_backend("torch"):
                corrected = wrap(net(math.convert(data, "torch").native("b,x")), batch("b"), spatial("x"))
                loss = math.sum(
                    math.l2_loss(solver({"u": corrected})["u"] - math.convert(target, "torch")), "b"
                )
            loss.native().backward()
            optimiser.step()
            losses.append(float(loss))
        return losses, [p.detach().numpy() for p in net.parameters()]

    losses, found = parameters_after(math.computed_on(simulate, "jax"), 5)
    _, expected = parameters_after(simulate, 5)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    assert losses[-1] < losses[0]


def test_memory_is_shared_by_dlpack():
    seen = []

    def f(x):
        seen.append(x.natives[0].unsafe_buffer_pointer())
        return x + 1

    import torch

    raw = torch.zeros(64 + 16)
    start = (-raw.data_ptr() // 4) % 16
    x = wrap(raw[start : start + 64].requires_grad_(), channel("c"))
    with math.on_backend("torch"):
        math.computed_on(f, "jax", jit=False)(x)
    assert seen == [x.natives[0].data_ptr()]
