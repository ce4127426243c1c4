"""Tasks of the suite `solve`: Laplacians in boxes, projections around bodies, variable coefficients."""

import importlib
import tracemalloc
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import ModuleType

import numpy as np

from ._harness import Build, NotAvailable, Reported, Task
from ._tasks import Library
from .native import around_numpy, assembly, poisson
from .ours import Ours

PADDING = {"closed": "zero-gradient", "periodic": "periodic", "open": 0}
"""What our Laplacian pads with, by what lies at the ends of an axis."""

Call = Callable[[], object]


def _math(backend: str) -> ModuleType:
    math = Ours().math
    math.use(backend)
    return math


def _dims(math: ModuleType, n: int, rank: int):
    return math.spatial(**dict.fromkeys(poisson.AXES[:rank], n))


def _compiled(math: ModuleType, backend: str, function: Callable) -> Callable:
    """What a user calls: jitted, on NumPy as it is."""
    return function if backend == "numpy" else math.jit_compile(function)


# --- boxes


def laplacian(math: ModuleType, rank: int, boundary: str) -> Callable:
    """∇² by what lies at the sides."""
    sides = dict(zip(poisson.AXES[:rank], poisson.SIDES[boundary], strict=False))
    padding = {axis: PADDING[side] for axis, side in sides.items()}
    return lambda x: math.laplace(x, padding=padding)


def box(backend: str, n: int, rank: int, boundary: str) -> Build:
    def build() -> Task:
        math = _math(backend)
        operator = laplacian(math, rank, boundary)
        b = math.tensor(poisson.right_side(n, rank), _dims(math, n, rank))
        run = _compiled(math, backend, lambda b: math.solve_linear(operator, b, math.Solve()))
        return Task(lambda: run(b), lambda x: x.native(list(poisson.AXES[:rank])))

    return build


# --- around bodies


def velocity(library: Library, n: int, rank: int, bits: int):
    """Field at the faces of a closed box."""
    math, axes = library.math, poisson.AXES[:rank]
    arrays = poisson.velocity(n, rank, bits)
    parts = {a: math.tensor(u, math.spatial(",".join(axes))) for a, u in zip(axes, arrays, strict=True)}
    return library.fields.StaggeredGrid(
        math.stack(parts, math.dual("vector")), 0, library.box(**dict.fromkeys(axes, n))
    )


def body_of(library: Library, body: str, n: int, rank: int):
    """Geometry, or where it is none a mask."""
    axes, math = poisson.AXES[:rank], library.math
    if body == "sphere":
        return library.sphere(**dict.fromkeys(axes, poisson.CENTER * n), radius=poisson.RADIUS * n)
    if body == "box":
        lower, upper = (corner * n for corner in poisson.CORNERS)
        return library.box(**dict.fromkeys(axes, (lower, upper)))
    mask = math.tensor(1 - poisson.fluid(body, n, rank), math.spatial(",".join(axes)))
    return library.fields.CenteredGrid(mask, "zero-gradient", library.box(**dict.fromkeys(axes, n)))


def natives(out: tuple, rank: int) -> list:
    """Native arrays `[*velocity, pressure]` of a projection."""
    axes = list(poisson.AXES[:rank])
    return [*(out[0].vector[axis].values.native(axes) for axis in axes), out[1].values.native(axes)]


def projection(
    library: Library, backend: str, body: str, n: int, rank: int, bits: int = 32, taped: bool = False
) -> Build:
    def build() -> Task:
        math = library.math
        math.use(backend)
        with math.precision(bits):
            faces, solid = velocity(library, n, rank, bits), body_of(library, body, n, rank)
        run = _compiled(math, backend, lambda v: library.project(v, solid))

        def call() -> object:
            with math.precision(bits):
                return run(faces)

        def recorded() -> tuple:
            with math.SolveTape() as tape:
                out = call()
            return *out, tape[0]

        return Task(recorded if taped else call, lambda out: natives(out, rank))

    return build


def iterations(backend: str, body: str, n: int, rank: int) -> Build:
    """Iterations of an eager projection in 64 bit."""

    def build() -> Reported:
        task = projection(Ours(), backend, body, n, rank, 64, taped=True)()
        return Reported(_count(task.call()[2]))

    return build


def _count(info) -> int:
    """Iterations, at least 1: 0 would print as missing."""
    counts = info.iterations
    return max(int(np.max(counts.numpy([]) if hasattr(counts, "numpy") else counts)), 1)


# --- variable coefficients


def diffusion(math: ModuleType, axes: str) -> Callable:
    """`(x, k) ↦ ∇·(k ∇x)` in a closed box, with the harmonic mean of k at faces."""

    def function(x, k):
        total = 0
        for axis in axes:
            c, p = (math.pad(v, {axis: (1, 1)}, "zero-gradient") for v in (k, x))
            below, above = {axis: slice(None, -1)}, {axis: slice(1, None)}
            flux = 2 * c[above] * c[below] / (c[above] + c[below]) * (p[above] - p[below])
            total = total + flux[above] - flux[below]
        return total

    return function


class Diffusion:
    """∇·(k ∇x) = b: multigrid by itself, as no transform diagonalises it."""

    def __init__(self, backend: str, kind: str, n: int, rank: int, bits: int = 32, constant: bool = False):
        self.math = math = _math(backend)
        self.bits, self.rank, dims = bits, rank, _dims(math, n, rank)
        k = poisson.coefficient(kind, n, rank).astype(poisson.float_type(bits))
        self.k = math.wrap(k, dims) if constant else math.tensor(k, dims)
        self.b = math.tensor(poisson.right_side(n, rank, bits), dims)
        self.function = diffusion(math, poisson.AXES[:rank])

    def precision(self) -> AbstractContextManager:
        return self.math.precision(self.bits)

    def solve(self, b, k):
        return self.math.solve_linear(self.function, b, self.math.Solve(), k)


def multigrid(backend: str, kind: str, n: int, rank: int) -> Build:
    """Time of a solve in 32 bit; coefficients are constants on the host, as those of a medium."""

    def build() -> Task:
        system = Diffusion(backend, kind, n, rank, constant=True)
        run = _compiled(system.math, backend, lambda b: system.solve(b, system.k))
        return Task(lambda: run(system.b), lambda x: x.native(list(poisson.AXES[:rank])))

    return build


def multigrid_iterations(backend: str, kind: str, n: int, rank: int) -> Build:
    """Iterations of an eager solve in 64 bit."""

    def build() -> Reported:
        system = Diffusion(backend, kind, n, rank, 64)
        with system.precision(), system.math.SolveTape() as tape:
            system.solve(system.b, system.k)
        return Reported(_count(tape[0]))

    return build


def traced_iterations(backend: str, kind: str, n: int, rank: int) -> Build:
    """Iterations of a jitted solve in 32 bit whose coefficients are an argument."""

    def build() -> Reported:
        system = Diffusion(backend, kind, n, rank)
        with system.math.SolveTape() as tape:
            _compiled(system.math, backend, system.solve)(system.b, system.k)
        return Reported(_count(tape[0]))

    return build


def set_up(backend: str, n: int, rank: int) -> Build:
    """The hierarchy of multigrid, eagerly."""

    def build() -> Task:
        math = _math(backend)
        hierarchy = importlib.import_module(f"{math.__name__}.linear._multigrid").multigrid
        matrix = closed_box(math, n, rank)
        return Task(lambda: hierarchy(matrix), lambda _: ())

    return build


def stencil_solve(backend: str, n: int, rank: int) -> Build:
    """Solve whose hierarchy `set_up` makes, with set-up."""

    def build() -> Task:
        math = _math(backend)
        operator = math.stencil_operator(closed_box(math, n, rank), symmetric=True)
        b = math.tensor(poisson.right_side(n, rank), _dims(math, n, rank))
        return Task(lambda: math.solve_linear(operator, b, math.Solve()), lambda _: ())

    return build


def closed_box(math: ModuleType, n: int, rank: int):
    """−∇·(k ∇) in a closed box with smooth k as a matrix of neighbours."""
    axes = poisson.AXES[:rank]
    k, dims = poisson.coefficient("smooth", n, rank).astype(np.float32), math.spatial(",".join(axes))
    lower, upper = {}, {}
    for i, axis in enumerate(axes):
        faces = (around_numpy.part(k, i, 0) + around_numpy.part(k, i, 1)) / 2
        lower[axis], upper[axis] = (
            math.tensor(np.pad(faces, [pair if j == i else (0, 0) for j in range(rank)]), dims)
            for pair in ((1, 0), (0, 1))
        )
    return math.Stencil(math.zeros(_dims(math, n, rank)), lower, upper)


# --- derivatives


def derivative(backend: str, kind: str, n: int, rank: int, value_only: bool) -> Build:
    """Value of ½‖x‖², and its gradient by the right-hand side (velocity, coefficients) of a system."""

    def build() -> Task:
        math = _math(backend)
        if kind == "sphere":
            faces, solid = velocity(Ours(), n, rank, 32), body_of(Ours(), kind, n, rank)
            inputs = (faces,)

            def loss(b):
                return math.l2_loss(Ours().project(b, solid)[1].values)
        elif kind in poisson.SIDES:
            operator = laplacian(math, rank, kind)
            inputs = (math.tensor(poisson.right_side(n, rank), _dims(math, n, rank)),)

            def loss(b):
                return math.l2_loss(math.solve_linear(operator, b, math.Solve()))
        else:
            system = Diffusion(backend, kind, n, rank)
            inputs = (system.b, system.k)

            def loss(b, k):
                return math.l2_loss(system.solve(b, k))

        names = "b" if len(inputs) == 1 else "b,k"
        run = math.jit_compile(loss if value_only else math.gradient(loss, names))
        return Task(lambda: run(*inputs), lambda out: [(out if value_only else out[0]).native([])])

    return build


# --- memory


def peak(build: Build, cells: int, less: int = 0) -> Build:
    """Most memory that a call allocates, in arrays of `cells` numbers, `less` those of coefficients."""

    def measured() -> Reported:
        task = build()
        task.call()
        return Reported(_peak(task.call) / (4 * cells) - less)

    return measured


def _peak(call: Call) -> int:
    """Bytes: what NumPy asks Python's allocator for."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        result = call()
        most = tracemalloc.get_traced_memory()[1] - before
        del result
        return most
    finally:
        tracemalloc.stop()


def torch_peak(build: Build, cells: int, less: int = 0) -> Build:
    """The same on torch: sums of what its profiler saw the allocator give and take on the CPU."""

    def measured() -> Reported:
        from torch.profiler import ProfilerActivity, profile

        task = build()
        task.call()
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
            task.call()
        events = [e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]"]
        if not events:
            raise NotAvailable("torch's profiler reports no memory")
        sizes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
        return Reported(float(np.cumsum(sizes).max()) / (4 * cells) - less)

    return measured


# --- tracing


def trace(n: int, rank: int) -> Build:
    """Matrix of the Laplacian of a closed box; compared by its product with a vector."""

    def build() -> Task:
        dims, axes = _dims(_math("numpy"), n, rank), list(poisson.AXES[:rank])
        probe = _math("numpy").tensor(poisson.right_side(n, rank), dims)
        return Task(_tracing(n, rank), lambda matrix: (matrix @ probe).native(axes))

    return build


def assembly_task(n: int, rank: int) -> Build:
    """The same by SciPy."""
    probe = poisson.right_side(n, rank)
    return lambda: Task(
        assembly.assembled(n, rank)(), lambda out: (out.matrix @ probe.ravel()).reshape(probe.shape)
    )


def _tracing(n: int, rank: int) -> Call:
    math = _math("numpy")
    operator, x = laplacian(math, rank, "closed"), math.zeros(_dims(math, n, rank))
    return lambda: math.matrix_from_function(operator, x)[0]


def trace_bytes(n: int, rank: int) -> Build:
    """Most memory while the matrix is made, times that of its CSR."""

    def build() -> Reported:
        call = _tracing(n, rank)
        return Reported(_peak(call) / assembly.size(n, rank))

    return build


# --- large systems


class Large:
    """Projections around a sphere whose compiled function several rows share; the last one is kept."""

    def __init__(self):
        self._key: tuple | None = None
        self._task: Task | None = None

    def time(self, backend: str, n: int, rank: int) -> Build:
        return lambda: self._prepared(backend, n, rank)

    def iterations(self, backend: str, n: int, rank: int) -> Build:
        return lambda: Reported(_count(self._prepared(backend, n, rank).call()[2]))

    def residual(self, backend: str, n: int, rank: int) -> Build:
        """‖divergence‖ that is left in cells of fluid, relative to that before, in 64 bit by NumPy."""
        return lambda: Reported(self._left(backend, n, rank)[0])

    def of_bound(self, backend: str, n: int, rank: int) -> Build:
        """The same relative to the bound max(rel_tol ‖b‖, 10 ε ‖A‖ ‖p‖)."""
        return lambda: Reported(float(np.divide(*self._left(backend, n, rank))))

    def _left(self, backend: str, n: int, rank: int) -> tuple[float, float]:
        """What is left of the divergence, and the bound, both relative to ‖b‖."""
        *faces, pressure = (
            np.asarray(u, np.float64) for u in natives(self._prepared(backend, n, rank).call(), rank)
        )
        grid = around_numpy.Around("sphere", n, rank, 64)
        given = [u * o for u, o in zip(poisson.velocity(n, rank), grid.open, strict=True)]
        left, before = (np.linalg.norm(grid.divergence(u) * grid.fluid) for u in (faces, given))
        rounding = 10 * np.finfo(np.float32).eps * 4 * rank * np.linalg.norm(pressure)
        return left / before, max(poisson.REL_TOL[32], rounding / before)

    def _prepared(self, backend: str, n: int, rank: int) -> Task:
        if self._key != (backend, n, rank):
            self._key, self._task = None, None
            self._task = projection(Ours(), backend, "sphere", n, rank, taped=True)()
            self._key = (backend, n, rank)
        assert self._task is not None
        return self._task
