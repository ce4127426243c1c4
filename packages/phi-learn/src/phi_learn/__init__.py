"""Networks, optimisers and training that give the same numbers on every backend."""

__all__: list[str] = []
