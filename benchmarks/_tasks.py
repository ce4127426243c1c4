"""The cases written once, for any library with the names of PhiML and PhiFlow: the peers and ours.

A library says where names come from; a build that lacks one raises and its case is reported as not available.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Protocol

from ._harness import Build, Task
from .native import data


class Library(Protocol):
    """Where the names come from; each property imports when it is read.

    Attributes:
        math: PhiML's names.
        fields: Has `CenteredGrid`, `StaggeredGrid`.
        advect: Has `semi_lagrangian`, `mac_cormack`.
        box: Makes the bounds from sizes by dim.
        project: `velocity → (velocity, pressure)`.
    """

    math: ModuleType
    fields: ModuleType
    advect: ModuleType
    box: Callable
    project: Callable


def tasks(library: Library, backend: str) -> dict[str, Build]:
    """Case name → build, with `backend` as default of `library`."""

    def on_backend(build: Callable[[Library], Task]) -> Build:
        def prepared() -> Task:
            library.math.use(backend)
            return build(library)

        return prepared

    compile_steps = backend != "numpy"
    cases = {
        "add same dims": lambda m: arithmetic(m, "same"),
        "add missing dim": lambda m: arithmetic(m, "missing"),
        "add transposed dim": lambda m: arithmetic(m, "transposed"),
        "sum one dim": total,
        "slice range": slice_range,
        "slice component": slice_component,
        "stack": stack,
        "concat": concat,
        "gradient periodic": lambda m: spatial_gradient(m, "periodic"),
        "gradient zero-gradient": lambda m: spatial_gradient(m, "zero-gradient"),
        "sampling 64": sampling,
        "jit call": jit_call,
        "smoke gradient": smoke_gradient,
        "galaxy": galaxy,
    }
    for n in data.SIZES:
        cases[f"smoke step {n}"] = lambda m, n=n: smoke_step(m, n, compile_steps)
        for boundary in ("closed", "periodic"):
            cases[f"pressure {boundary} {n}"] = lambda m, n=n, b=boundary: pressure(m, n, b, compile_steps)
    return {name: on_backend(build) for name, build in cases.items()}


def _grids(math: ModuleType):
    a, b = data.grids()
    return math.tensor(a, math.spatial("x,y")), math.tensor(b, math.spatial("x,y"))


def _along(*dims: str) -> Callable:
    return lambda tensor: tensor.native([name for dim in dims for name in dim.split(",")])


def arithmetic(library: Library, name: str) -> Task:
    math = library.math
    a, b = _grids(math)
    other = {
        "same": lambda: b,
        "missing": lambda: math.tensor(data.grids()[1][:, 0].copy(), math.spatial("x")),
        "transposed": lambda: math.tensor(data.grids()[1], math.spatial("y,x")),
    }[name]()
    return Task(lambda: a + other, _along("x,y"))


def total(library: Library) -> Task:
    math = library.math
    a, _ = _grids(math)
    return Task(lambda: math.sum(a, "x"), _along("y"))


def slice_range(library: Library) -> Task:
    a, _ = _grids(library.math)
    return Task(lambda: a.x[1:-1], _along("x,y"))


def slice_component(library: Library) -> Task:
    math = library.math
    v = math.tensor(data.vectors(), math.spatial("x,y"), math.channel(vector="x,y"))
    return Task(lambda: v.vector["x"], _along("x,y"))


def stack(library: Library) -> Task:
    math = library.math
    a, b = _grids(math)
    dim = math.batch("part")
    return Task(lambda: math.stack([a, b], dim), _along("part,x,y"))


def concat(library: Library) -> Task:
    math = library.math
    a, b = _grids(math)
    return Task(lambda: math.concat([a, b], "x"), _along("x,y"))


def spatial_gradient(library: Library, padding: str) -> Task:
    math = library.math
    a, _ = _grids(math)
    dim = math.channel(gradient="x,y")
    return Task(lambda: math.spatial_gradient(a, padding=padding, stack_dim=dim), _along("gradient,x,y"))


def sampling(library: Library) -> Task:
    math = library.math
    grid = math.tensor(data.grids(64)[0], math.spatial("x,y"))
    points = math.tensor(data.coordinates(64), math.spatial("x,y"), math.channel(vector="x,y"))
    return Task(lambda: math.grid_sample(grid, points, "zero-gradient"), _along("x,y"))


def jit_call(library: Library) -> Task:
    math = library.math
    a, b = _grids(math)
    run = math.jit_compile(lambda a, b: (a + b) * a - b)
    return Task(lambda: run(a, b), _along("x,y"))


def _staggered(library: Library, n: int, components: tuple, boundary: object):
    math = library.math
    u, v = (math.tensor(component, math.spatial("x,y")) for component in components)
    return library.fields.StaggeredGrid(
        math.stack({"x": u, "y": v}, math.dual("vector")), boundary, library.box(x=n, y=n)
    )


def _faces(field) -> list:
    return [field.vector[component].values.native(["x", "y"]) for component in "xy"]


def pressure(library: Library, n: int, boundary: str, compile_steps: bool) -> Task:
    math, project = library.math, library.project
    velocity = _staggered(library, n, data.velocity(n, boundary), 0 if boundary == "closed" else "periodic")
    run = math.jit_compile(lambda v: project(v)) if compile_steps else project
    return Task(lambda: run(velocity), lambda out: [*_faces(out[0]), out[1].values.native(["x", "y"])])


def _smoke(library: Library, n: int):
    """Smoke, velocity and the step `(smoke, velocity) → (smoke, velocity)` of `native/smoke_numpy.py`."""
    math, advect = library.math, library.advect
    values, *components = data.smoke(n)
    smoke = library.fields.CenteredGrid(
        math.tensor(values, math.spatial("x,y")), "zero-gradient", library.box(x=n, y=n)
    )
    velocity = _staggered(library, n, tuple(components), 0)

    def step(smoke, velocity):
        smoke = advect.mac_cormack(smoke, velocity, 1.0)
        buoyancy = (smoke * (0, data.BUOYANCY)).at(velocity)
        velocity = advect.semi_lagrangian(velocity, velocity, 1.0) + buoyancy
        velocity, _ = library.project(velocity)
        return smoke, velocity

    return smoke, velocity, step


def smoke_step(library: Library, n: int, compile_steps: bool) -> Task:
    smoke, velocity, step = _smoke(library, n)
    run = library.math.jit_compile(step) if compile_steps else step
    return Task(lambda: run(smoke, velocity), lambda out: [out[0].values.native(["x", "y"]), *_faces(out[1])])


def smoke_gradient(library: Library) -> Task:
    math, n = library.math, 64
    smoke, velocity, step = _smoke(library, n)
    target = math.tensor(data.target(n), math.spatial("x,y"))

    def loss(velocity):
        final, _ = math.iterate(step, data.STEPS, smoke, velocity)
        return math.l2_loss(final.values - target)

    run = math.jit_compile(math.gradient(loss, "velocity"))
    return Task(lambda: run(velocity), _value_and_gradient)


def _value_and_gradient(out) -> list:
    value, gradient = out
    gradient = gradient[0] if isinstance(gradient, (tuple, list)) else gradient
    return [value.native([]), *_faces(gradient)]


def galaxy(library: Library) -> Task:
    """The listing of figure 3.5; `masses` is captured, not passed."""
    math = library.math
    x, v, m = data.bodies()
    vector, bodies = math.channel(vector="x,y,z"), math.instance("bodies")
    x, v, masses = math.tensor(x, bodies, vector), math.tensor(v, bodies, vector), math.tensor(m, bodies)

    def step(x, v, dt):
        others = math.rename_dims(x, "bodies", math.instance("others"))
        other_masses = math.rename_dims(masses, "bodies", math.instance("others"))
        difference = x - others
        pull = math.divide_no_nan(other_masses * difference, math.vec_squared(difference) ** 1.5)
        a = -data.G * math.sum(pull, "others")
        return x + v * dt, v + a * dt

    run = math.jit_compile(step)
    return Task(lambda: run(x, v, 0.5), lambda out: [part.native(["bodies", "vector"]) for part in out])
