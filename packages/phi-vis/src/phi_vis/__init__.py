"""Plots, animations and a live viewer for tensors and fields."""

__all__: list[str] = []
