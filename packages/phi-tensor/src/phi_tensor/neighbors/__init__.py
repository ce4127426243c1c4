"""Pairs of neighbouring points: differences of positions, lists of pairs, sums over pairs."""
