"""Eager NumPy has no galaxy budget: 4096 bodies take seconds."""

TASKS = {}
