import numpy as np
import pytest

import phi_tensor as math
from phi_learn import Adam, GradientDescent, adam, gradient_descent, sgd, update_weights
from phi_tensor import batch, channel, spatial, tensor, vec
from phi_tensor.testing import assert_close


def adam_by_hand(x, gradients, rate, b1=0.9, b2=0.999, eps=1e-7):
    m = v = np.zeros_like(x)
    for t, g in enumerate(gradients, 1):
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
        x = x - rate * (m / (1 - b1**t)) / (np.sqrt(v / (1 - b2**t)) + eps)
    return x


def test_adam_follows_its_paper(backend, rng):
    start, gradients = rng.normal(size=4), rng.normal(size=(5, 4))
    with math.precision(64):
        x = tensor(start, spatial("x"))
        state = adam(0.1).init(x)
        for g in gradients:
            x, state = adam(0.1).update(x, tensor(g, spatial("x")), state)
        assert_close(x, tensor(adam_by_hand(start, gradients, 0.1), spatial("x")))


def test_momentum_follows_its_recurrence(backend, rng):
    start, gradients = rng.normal(size=3), rng.normal(size=(4, 3))
    x_hand, m = start, 0
    for g in gradients:
        m = 0.8 * m + g
        x_hand = x_hand - 0.1 * m
    with math.precision(64):
        optimizer, x = sgd(0.1, momentum=0.8), tensor(start, spatial("x"))
        state = optimizer.init(x)
        for g in gradients:
            x, state = optimizer.update(x, tensor(g, spatial("x")), state)
        assert_close(x, tensor(x_hand, spatial("x")))


def test_one_step_of_gradient_descent_solves_a_parabola(backend):
    x, _ = gradient_descent(0.5).update(tensor(4.0), tensor(8.0), ())
    assert float(x) == 0


@pytest.mark.parametrize("optimizer", [Adam(0.1), GradientDescent(0.2), GradientDescent(0.1, 0.5)])
def test_trees_keep_their_structure_and_dims(optimizer, backend):
    tree = {"a": math.ones(spatial(x=3)), "b": (vec(x=1.0, y=2.0), math.ones(batch(b=2), channel(c=2)))}
    state = optimizer.init(tree)
    new, state = optimizer.update(tree, tree, state)
    new, state = optimizer.update(new, tree, state)
    assert set(new) == {"a", "b"}
    assert new["a"].shape == spatial(x=3)
    assert new["b"][0].shape == channel(vector="x,y")
    assert float(math.max(new["a"])) < 1


@pytest.mark.compiled
def test_loss_falls_when_training_is_compiled(backend):  # WEAKNESSES J3
    if "reverse" not in backend.supports:
        with pytest.raises(math.Unsupported, match="jax"):
            update_weights(tensor(1.0), adam(), adam().init(tensor(1.0)), lambda w: w * w)
        return
    optimizer = adam(0.1)

    def loss(net, target):
        return math.l2_loss(net - target), net

    @math.jit_compile
    def step(net, state, target):
        return update_weights(net, optimizer, state, loss, target)

    net, target = math.zeros(spatial(x=3)), math.ones(spatial(x=3))
    state = optimizer.init(net)
    losses = []
    for _ in range(60):
        net, state, (value, _) = step(net, state, target)
        losses.append(float(value))
    assert len(step.traces) == 1
    assert losses[-1] < 0.01 * losses[0]
