"""Linear systems: matrices of grids, solvers and their preconditioners."""
