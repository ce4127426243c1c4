"""Transformations of functions of trees: each flattens to native arrays, calls the backend and rebuilds."""
