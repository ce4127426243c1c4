"""Covering designs: few combinations of factors in which every pair of values occurs."""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations, product
from typing import Any

import numpy as np

Row = dict[str, Any]
Pair = tuple[str, Any, str, Any]


def covering(
    factors: Mapping[str, Sequence[Any]], allowed: Callable[[Row], bool], seed: int = 0, tries: int = 40
) -> list[Row]:
    """Rows in which every allowed pair of values of two factors occurs, chosen greedily.

    Each row starts from a pair that is missing; of some random completions the one with most missing pairs is
    taken. Values must be hashable.

    Args:
        factors: Values by factor.
        allowed: Whether a partial row may be completed; factors that are not chosen yet are absent.
        seed: Of the random order.
        tries: Completions that are tried per row.
    """
    rng = np.random.default_rng(seed)
    missing = {pair: None for pair in _pairs(factors) if allowed(dict([pair[:2], pair[2:]]))}
    rows: list[Row] = []
    while missing:
        pair = next(iter(missing))
        start = dict([pair[:2], pair[2:]])
        found = [
            row for row in (_completed(start, factors, allowed, missing, rng) for _ in range(tries)) if row
        ]
        if not found:  # the pair contradicts every third value
            del missing[pair]
            continue
        best = max(found, key=lambda row: _gain(row, missing))
        rows.append({name: best[name] for name in factors})
        for known in _pairs({name: [value] for name, value in best.items()}):
            missing.pop(known, None)
    return rows


def uncovered(
    rows: list[Row], factors: Mapping[str, Sequence[Any]], allowed: Callable[[Row], bool]
) -> set[Pair]:
    """Allowed pairs that occur in no row."""
    wanted = {pair for pair in _pairs(factors) if allowed(dict([pair[:2], pair[2:]]))}
    return wanted.difference(*(_pairs({name: [row[name]] for name in factors}) for row in rows))


def every_value(rows: list[Row], factors: Mapping[str, Sequence[Any]]) -> list[Row]:
    """Few of the rows, chosen greedily, in which every value of each factor occurs."""
    missing = {(name, value) for name in factors for value in factors[name]}
    found: list[Row] = []
    while missing:
        best = max(rows, key=lambda row: len(missing & set(row.items())))
        found.append(best)
        missing -= set(best.items())
    return found


def _pairs(factors: Mapping[str, Sequence[Any]]) -> list[Pair]:
    return [
        (first, a, second, b)
        for first, second in combinations(sorted(factors), 2)
        for a, b in product(factors[first], factors[second])
    ]


def _gain(row: Row, missing: Mapping[Pair, None]) -> int:
    return sum(pair in missing for pair in _pairs({name: [value] for name, value in row.items()}))


def _completed(
    start: Row,
    factors: Mapping[str, Sequence[Any]],
    allowed: Callable[[Row], bool],
    missing: Mapping[Pair, None],
    rng: np.random.Generator,
) -> Row | None:
    """The row with values of all factors, each with most missing pairs; None where none is allowed."""
    row = dict(start)
    names = [name for name in factors if name not in row]
    for name in rng.permutation(names):
        values = [factors[name][i] for i in rng.permutation(len(factors[name]))]
        values = [value for value in values if allowed({**row, str(name): value})]
        if not values:
            return None
        row[str(name)] = max(values, key=lambda value, name=name: _gain({**row, str(name): value}, missing))
    return row
