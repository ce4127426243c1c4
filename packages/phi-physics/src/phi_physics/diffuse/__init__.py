"""Diffusion, ∂u/∂t = ∇·κ∇u. `differential` returns the rate, other functions advance by `dt`."""

from phi_physics.diffuse._explicit import differential, explicit

__all__ = ["differential", "explicit"]
