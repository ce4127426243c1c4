"""Nonlinear problems: minima of functions and solutions of systems, every batch entry for itself."""
