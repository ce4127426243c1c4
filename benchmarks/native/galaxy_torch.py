"""PyTorch, compiled by Inductor: one step of the thesis' galaxy (figure 3.5), all pairs, explicit Euler."""

import torch

from . import data
from .compile_torch import compiled


def as_written(x: torch.Tensor, v: torch.Tensor, masses: torch.Tensor, dt: float = 0.5):
    difference = x[:, None, :] - x[None, :, :]
    cubed = torch.sum(difference**2, -1, keepdim=True) ** 1.5
    pull = masses[None, :, None] * difference
    a = -data.G * torch.sum(torch.where(cubed == 0, 0, pull / torch.where(cubed == 0, 1, cubed)), 1)
    return x + v * dt, v + a * dt


def by_components(x: torch.Tensor, v: torch.Tensor, masses: torch.Tensor, dt: float = 0.5):
    differences = [c[:, None] - c[None, :] for c in x.unbind(1)]
    squared = sum(d * d for d in differences)
    inverse = torch.where(squared == 0, 0, torch.rsqrt(squared))
    weight = masses[None, :] * (inverse * inverse * inverse)
    a = -data.G * torch.stack([torch.sum(weight * d, 1) for d in differences], 1)
    return x + v * dt, v + a * dt


def galaxy(step):
    def build():
        inputs = [torch.from_numpy(array) for array in data.bodies()]
        run = compiled(step, *inputs)
        return lambda: run(*inputs)

    return build


TASKS = {"galaxy": {"listing": galaxy(as_written), "components": galaxy(by_components)}}
