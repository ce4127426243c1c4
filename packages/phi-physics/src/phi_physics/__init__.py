"""Differentiable simulation: advection, diffusion, pressure projection, obstacles, particles."""

__all__: list[str] = []
