"""PyTorch with Inductor: smoke step and gradient through 32 of them; the method is told in `smoke_numpy`."""

import torch
from torch.nn.functional import pad

from . import data
from .compile_torch import compiled, compiled_vjp
from .pressure_torch import by_matrices, by_transform, projection


def step_with(solve):
    """Step `(s, u, v, *constants) → (s, u, v)` with a pressure solver `solve(b, *constants)`."""
    project = projection(solve, "closed")

    def step(
        s: torch.Tensor, u: torch.Tensor, v: torch.Tensor, *constants: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        walled_u, walled_v = pad(u, (0, 0, 1, 1)), pad(v, (1, 1))
        s = advected_smoke(s, (walled_u[1:] + walled_u[:-1]) / 2, (walled_v[:, 1:] + walled_v[:, :-1]) / 2)
        mean_v = (walled_v[:-1, :-1] + walled_v[1:, :-1] + walled_v[:-1, 1:] + walled_v[1:, 1:]) / 4
        mean_u = (walled_u[:-1, :-1] + walled_u[1:, :-1] + walled_u[:-1, 1:] + walled_u[1:, 1:]) / 4
        u = bilinear(*corners(pad(u, (1, 1, 1, 1)), *traced_back(u, mean_v)))
        v = bilinear(*corners(pad(v, (1, 1, 1, 1)), *traced_back(mean_u, v)))
        v = v + data.BUOYANCY * (s[:, 1:] + s[:, :-1]) / 2
        u, v, _ = project(u, v, *constants)
        return s, u, v

    return step


def traced_back(u: torch.Tensor, v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    i, j = (torch.arange(size, dtype=torch.float32) for size in u.shape)
    return i[:, None] - u, j[None, :] - v


def advected_smoke(s: torch.Tensor, cu: torch.Tensor, cv: torch.Tensor) -> torch.Tensor:
    """MacCormack with the result clipped to the four values around the look-up."""
    values, fx, fy = corners(edge_padded(s), *traced_back(cu, cv))
    forward = bilinear(values, fx, fy)
    backward = bilinear(*corners(edge_padded(forward), *traced_back(-cu, -cv)))
    low = torch.minimum(torch.minimum(values[0], values[1]), torch.minimum(values[2], values[3]))
    high = torch.maximum(torch.maximum(values[0], values[1]), torch.maximum(values[2], values[3]))
    return torch.minimum(torch.maximum(forward + (s - backward) / 2, low), high)


def edge_padded(s: torch.Tensor) -> torch.Tensor:
    return pad(s[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]


def corners(padded: torch.Tensor, x: torch.Tensor, y: torch.Tensor):
    """Four values around `(x, y)`, weights of the upper ones; index 0 is the first inside the padding."""
    nx, ny = padded.shape
    x, y = torch.clamp(x + 1, 0, nx - 1), torch.clamp(y + 1, 0, ny - 1)
    i, j = (
        torch.clamp(x.detach().to(torch.int64), 0, nx - 2),
        torch.clamp(y.detach().to(torch.int64), 0, ny - 2),
    )
    flat, k = padded.reshape(-1), i * ny + j
    return [flat[k + offset] for offset in (0, 1, ny, ny + 1)], x - i, y - j


def bilinear(values: list[torch.Tensor], fx: torch.Tensor, fy: torch.Tensor) -> torch.Tensor:
    low = values[0] + fy * (values[1] - values[0])
    high = values[2] + fy * (values[3] - values[2])
    return low + fx * (high - low)


def smoke_step(n: int, solver):
    def build():
        constants, solve = solver(n, "closed")
        inputs = (*(torch.from_numpy(array) for array in data.smoke(n)), *constants)
        run = compiled(step_with(solve), *inputs)
        return lambda: run(*inputs)

    return build


def gradient_by_vjp(n: int = 64):
    """Loop over a compiled step, then back over a compiled step-vjp that repeats the forward pass."""
    constants, solve = by_matrices(n, "closed")
    step, state = step_with(solve), tuple(torch.from_numpy(array) for array in data.smoke(n))
    target = torch.from_numpy(data.target(n))
    run = compiled(step, *state, *constants)
    back = compiled_vjp(step, state, state, constants)
    zeros = torch.zeros_like(state[1]), torch.zeros_like(state[2])

    def value_and_gradient():
        states = [state]
        for _ in range(data.STEPS):
            states.append(run(*states[-1], *constants))
        difference = states.pop()[0] - target
        cotangents = difference, *zeros
        for previous in reversed(states):
            cotangents = back(*previous, *cotangents, *constants)
        return torch.sum(difference**2) / 2, cotangents[1], cotangents[2]

    return value_and_gradient


def gradient_by_autograd(n: int = 64):
    """Autograd over a step that `torch.compile` splits into forward and backward itself."""
    constants, solve = by_matrices(n, "closed")
    step = torch.compile(step_with(solve))
    s, u, v = (torch.from_numpy(array) for array in data.smoke(n))
    u, v = u.requires_grad_(), v.requires_grad_()
    target = torch.from_numpy(data.target(n))

    def value_and_gradient():
        state = s, u, v
        for _ in range(data.STEPS):
            state = step(*state, *constants)
        loss = torch.sum((state[0] - target) ** 2) / 2
        return loss, *torch.autograd.grad(loss, (u, v))

    return value_and_gradient


TASKS = {
    f"smoke step {n}": {"matrices": smoke_step(n, by_matrices), "transform": smoke_step(n, by_transform)}
    for n in data.SIZES
} | {"smoke gradient": {"vjp": gradient_by_vjp, "autograd": gradient_by_autograd}}
