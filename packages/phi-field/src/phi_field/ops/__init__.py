"""Operators on fields, one per file, composed of the primitives of a sampling."""
