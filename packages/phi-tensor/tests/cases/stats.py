"""Cases of the law suite: statistics, order, running sums, losses of the topic."""

import numpy as np
from scipy import special

import phi_tensor as math
from phi_tensor.testing import _reference as ref
from phi_tensor.testing._laws import Case, Operand
from phi_tensor.testing._reference import Named

A = Operand("b,x,y")
B = Operand("b,y,x", domain=(0.2, 1))


def reduced(row, call, oracle, dims="x,y", operand=A, label="", **options):
    return Case(
        row,
        (operand,),
        lambda n, a: call(a, n.all(dims)),
        lambda a: ref.reduce(oracle, a, dims.split(",")),
        label or f"over {dims}",
        **options,
    )


def softmax(x, axis):
    return np.exp(x) / np.sum(np.exp(x), axis, keepdims=True)


def flat(x, axis):
    """`x` with the reduced axes as one, at the end."""
    axes = (axis,) if isinstance(axis, int) else axis
    kept = [a for a in range(x.ndim) if a not in axes]
    return x.transpose((*kept, *axes)).reshape((*(x.shape[a] for a in kept), -1))


def value_at(choose, key):
    def oracle(x, axis):
        values = flat(x, axis)
        at = choose(key(values), -1)
        return np.take_along_axis(values, at[..., None], -1)[..., 0]

    return oracle


def exclusive(x, axis):
    return np.cumsum(x, axis) - x


def cross_entropy(a, p):
    logits = ref.apply(lambda x, _: x, a, p)
    lse = ref.reduce(lambda x, axis: np.log(np.sum(np.exp(x), axis)), logits, ("y",))
    terms = ref.apply(lambda x, q, s: q * (s - x), a, p, lse)
    return ref.reduce(np.sum, terms, ("x", "y"))


def weighted_mean(a, w):
    product = ref.reduce(np.sum, ref.apply(np.multiply, a, w), ("x", "y"))
    total = ref.reduce(np.sum, ref.apply(lambda x, v: 0 * x + v, a, w), ("x", "y"))
    return ref.apply(np.divide, product, total)


def frequency(x, axis):
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    k2 = sum(
        np.fft.fftfreq(x.shape[a]).reshape([-1 if b == a else 1 for b in range(x.ndim)]) ** 2 for a in axes
    )
    spectrum = np.fft.fftn(x, axes=axes) * np.exp(-0.5 * k2 * 4)
    return np.sum(0.5 * np.abs(spectrum) ** 2, axes)


def huber(x, axis):
    return np.sum(np.where(np.abs(x) <= 0.7, x * x / 2, 0.7 * (np.abs(x) - 0.35)), axis)


def mean_of_logs(x, axis):
    with np.errstate(invalid="ignore"):
        return np.nanmean(np.log(x + 1), axis)


CASES = [
    reduced(
        "variance", lambda a, d: math.variance(a, d, 1), lambda x, axis: np.var(x, axis, ddof=1), "y"
    ),  # the first composed function: it is tried in all layouts
    reduced("std", lambda a, d: math.std(a, d), np.std),
    Case("mean", (A, B), lambda n, a, w: math.mean(a, n.all("x,y"), w), weighted_mean, "weighted"),
    reduced(
        "quantile", lambda a, d: math.quantile(a, 0.3, d), lambda x, axis: np.quantile(x, 0.3, axis), "y"
    ),
    reduced("median", lambda a, d: math.median(a, d), np.median, "x"),
    reduced("max", lambda a, d: math.max(a, d, abs(a)), value_at(np.argmax, np.abs), "y", label="by key"),
    reduced(
        "at_min", lambda a, d: math.at_min(a * a, a, d), lambda x, axis: np.min(x, axis) ** 2, label="x,y"
    ),
    reduced("finite_mean", lambda a, d: math.finite_mean(math.log(a + 1), d), mean_of_logs),
    reduced("finite_std", lambda a, d: math.finite_std(a, d), np.std, "y"),
    Case(
        "softmax",
        (A,),
        lambda n, a: math.softmax(a, n.all("x,y")),
        lambda a: Named(a.dims, softmax(a.array, tuple(a.dims.index(d) for d in ("x", "y")))),
    ),
    reduced("log_sum_exp", lambda a, d: math.log_sum_exp(a, d), special.logsumexp),
    Case(
        "sort",
        (A, Operand("b,y")),
        lambda n, a, k: math.sort(a, n("y"), key=k),
        lambda a, k: Named(
            ("b", "x", "y") if "b" in a.dims else ("x", "y"),
            np.take_along_axis(
                a.ordered((*("b",) * ("b" in a.dims), "x", "y")),
                np.argsort(k.ordered((*("b",) * ("b" in k.dims), "x", "y")), -1),
                -1,
            ),
        ),
        "by key",
    ),
    Case(
        "top_k",
        (A,),
        lambda n, a: math.top_k(a, 2, n("x"))[0],
        lambda a: ref.select(ref.along(lambda x, axis: -np.sort(-x, axis), a, "x"), {"x": slice(0, 2)}),
    ),
    Case(
        "searchsorted",
        (A, Operand("b,p")),
        lambda n, a, v: math.searchsorted(math.sort(a, n("y")), v, n("y")),
        lambda a, v: ref.reduce(np.sum, ref.apply(np.less, a, v), ("y",)),
        smooth=False,
    ),
    Case(
        "cumulative_sum",
        (A,),
        lambda n, a: math.cumulative_sum(a, n("y"), include_0=True, include_sum=False),
        lambda a: ref.along(exclusive, a, "y"),
    ),
    Case(
        "differences",
        (A,),
        lambda n, a: math.differences(a, n("y"), 2),
        lambda a: ref.along(lambda x, axis: np.diff(x, 2, axis), a, "y"),
    ),
    Case(
        "bincount",
        (Operand("b,x,y", "int", (0, 3)), A),
        lambda n, i, w: math.bincount(i, math.spatial(q=4), w),
        lambda i, w: ref.stack(
            [
                ref.reduce(np.sum, ref.apply(lambda j, v, k=k: (j == k) * v, i, w), ("x", "y"))
                for k in range(4)
            ],
            "q",
        ),
    ),
    Case(
        "incomplete_gamma",
        (B,),
        lambda n, x: math.incomplete_gamma(1.7, x),
        lambda x: ref.apply(lambda v: special.gammainc(1.7, v), x),
    ),
    reduced("huber_loss", lambda a, d: math.huber_loss(a, 0.7, d), huber),
    reduced("frequency_loss", lambda a, d: math.frequency_loss(a, 2, 0), frequency),
    Case(
        "cross_entropy_loss",
        (A, B),
        lambda n, a, p: math.cross_entropy_loss(a, p, n("y")),
        cross_entropy,
    ),
]

GAPS = {
    ("frequency_loss", "ragged"): "frequencies differ",
}
