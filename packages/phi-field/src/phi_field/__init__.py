"""Fields on grids, particles and meshes with boundary conditions and differential operators."""

__all__: list[str] = []
