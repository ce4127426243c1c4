"""Geometry in any number of dimensions: shapes, signed distance, transforms, meshes."""

__all__: list[str] = []
