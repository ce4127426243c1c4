"""Sparse tensors: creation, formats, and the rules of operations on them."""
