# /// script
# requires-python = ">=3.11"
# dependencies = ["nox[uv]>=2025.2"]
# ///
"""Everything that is checked before a merge, and the demo: `python3 -m uv run noxfile.py [-s SESSION]`.

Sessions share environments: one per backend, one with all backends, one for linting. An environment holds
the six packages (editable) and dependency groups of the root `pyproject.toml`, and nothing else; it is
brought up to date once per run of nox.
"""

import argparse
import os
import shutil
import sys
import sysconfig
import zipfile
from pathlib import Path

import nox
from uv import find_uv_bin

ROOT = Path(__file__).parent
PACKAGES = ("phi-tensor", "phi-geom", "phi-field", "phi-physics", "phi-learn", "phi-vis")
BACKENDS = ("numpy", "torch", "jax", "tensorflow")
LARGE = ("phi-tensor", "phi-field", "phi-physics", "phi-learn")
"""Packages whose tests run in two processes."""
GROUPS = {
    "numpy": ("test",),
    "torch": ("test", "torch"),
    "jax": ("test", "jax"),
    "tensorflow": ("test", "tensorflow"),
    "all": ("test", "backends", "types"),
    "bench": ("backends", "bench"),
    "lint": ("lint",),
}
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
QUIET = {"MPLBACKEND": "Agg", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUTF8": "1"}
up_to_date: set[str] = set()

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "none"  # sessions share the environments that `environment` makes
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "layers", "types", "tests", "interop", "doctests", "examples", "isolated"]

# uv does not read pip's setting for a folder of local wheels.
if "UV_FIND_LINKS" not in os.environ and (wheels := os.environ.get("PIP_FIND_LINKS")):
    os.environ["UV_FIND_LINKS"] = ",".join(wheels.split())


def requirements(*groups: str) -> list[str]:
    return list(nox.project.dependency_groups(PYPROJECT, *groups))


def create(session: nox.Session, name: str, *, fresh: bool = False) -> Path:
    """Python of the environment `name`, which is made if it is not there or has to be fresh."""
    folder = ROOT / ".nox" / f"{name}-{sysconfig.get_python_version()}"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if fresh or not python.exists():
        uv(session, "venv", "--quiet", "--clear", "--python", sys.executable, folder)
    return python


def uv(session: nox.Session, *arguments: str | Path, **settings: object) -> None:
    session.run(find_uv_bin(), *arguments, external=True, **settings)


def environment(session: nox.Session, name: str, *options: str) -> Path:
    """Python of the shared environment `name`, up to date with the six packages and its `GROUPS`."""
    python = create(session, name)
    if name not in up_to_date:
        packages = [argument for package in PACKAGES for argument in ("-e", f"packages/{package}")]
        groups = requirements(*GROUPS[name.partition("-")[0]])
        uv(session, "pip", "install", "--exact", "--python", python, *options, *packages, *groups)
        up_to_date.add(name)
    return python


def run(session: nox.Session, python: Path, *arguments: str | Path, **settings: object) -> None:
    session.run(python, *arguments, external=True, **settings)


def pytest(session: nox.Session, python: Path, *arguments: str | Path, backends: str, **env: str) -> None:
    """Pytest on `backends` (a missing one is an error); the arguments after `--` come last and win."""
    env |= QUIET | {"PHI_BACKENDS": backends}
    nothing_selected = [5] if session.posargs else []  # `-k` may match in one package only
    command = ("-m", "pytest", *arguments, *session.posargs)
    run(session, python, *command, env=env, success_codes=[0, *nothing_selected])


def license_texts(wheel: Path) -> list[bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return [archive.read(name) for name in archive.namelist() if ".dist-info/licenses/" in name]


def tool(python: Path, name: str) -> Path:
    return python.parent / name


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, versions in lock step, and the CI workflow against its schema."""
    python = environment(session, "lint")
    run(session, python, "-m", "ruff", "check", ".")
    run(session, python, "-m", "ruff", "format", "--check", ".")
    run(session, python, "tools/check_versions.py")
    workflow = ".github/workflows/ci.yml"
    run(session, tool(python, "check-jsonschema"), "--builtin-schema", "vendor.github-workflows", workflow)


@nox.session
def layers(session: nox.Session) -> None:
    """One-way street, no private names across packages, no backend at import time."""
    python = environment(session, "lint")
    run(session, tool(python, "lint-imports"), "--no-cache")
    run(session, python, "tools/check_layers.py")


@nox.session
def types(session: nox.Session) -> None:
    """Strict types in all packages."""
    python = environment(session, "all")
    run(session, python, "-m", "basedpyright", "--pythonpath", python, *session.posargs)


@nox.session
@nox.parametrize("backend", [nox.param(name, id=name, tags=[name]) for name in BACKENDS])
@nox.parametrize("package", [nox.param(name, id=name, tags=[name]) for name in PACKAGES])
def tests(session: nox.Session, package: str, backend: str) -> None:
    """Tests of one package on one backend, in an environment without the others."""
    python = environment(session, backend)
    together = ("-n", "2", "--dist", "loadfile") if package in LARGE else ()
    pytest(session, python, f"packages/{package}/tests", "-m", "not interop", *together, backends=backend)


@nox.session
def interop(session: nox.Session) -> None:
    """Tests that need two backends at once."""
    python = environment(session, "all")
    pytest(session, python, "-m", "interop", backends=",".join(BACKENDS))


@nox.session
def doctests(session: nox.Session) -> None:
    """Examples in docstrings."""
    python = environment(session, "all")
    sources = (f"packages/{name}/src" for name in PACKAGES)
    pytest(session, python, "--doctest-modules", *sources, "tools", backends=",".join(BACKENDS))


@nox.session
def examples(session: nox.Session) -> None:
    """A number from every example."""
    python = environment(session, "jax")
    folders = [name for name in ("examples", "tests") if (ROOT / name).exists()]
    if not folders:
        session.skip("no examples yet")
    pytest(session, python, *folders, "-m", "not interop", backends="numpy,jax")


@nox.session
def isolated(session: nox.Session) -> None:
    """Each package's wheel, alone in a clean environment with what it declares, passes its tests."""
    wheels = Path(session.create_tmp(), "wheels").absolute()
    shutil.rmtree(wheels, ignore_errors=True)
    uv(session, "build", "--quiet", "--wheel", "--all-packages", "--out-dir", wheels)
    built = {name: next(wheels.glob(f"{name.replace('-', '_')}-*.whl")) for name in PACKAGES}
    for wheel in built.values():
        if license_texts(wheel) != [ROOT.joinpath("LICENSE").read_bytes()]:
            session.error(f"{wheel.name} does not hold the text of the LICENSE at the top: copy it.")
    siblings = wheels / "siblings.txt"  # where a sibling is declared, it is the one built here
    siblings.write_text("".join(f"{name} @ {wheel.as_uri()}\n" for name, wheel in built.items()), "utf-8")
    for package, wheel in built.items():
        python = create(session, f"isolated-{package}", fresh=True)
        install = ("pip", "install", "--quiet", "--no-sources", "--constraints", siblings, "--python", python)
        uv(session, *install, wheel, *requirements("test"))
        folder = f"packages/{package}/tests"
        pytest(session, python, folder, "-m", "not interop and not slow", backends="numpy")


@nox.session(default=False)
def minimums(session: nox.Session) -> None:
    """All tests with NumPy and the oldest versions that the packages declare."""
    python = environment(session, "numpy-minimums", "--resolution", "lowest-direct")
    pytest(session, python, "packages", "-m", "not interop", backends="numpy")


@nox.session(default=False)
def demo(session: nox.Session) -> None:
    """Smoke forms a picture; arguments after `--` go to examples/smoke_picture.py."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--backend", default="jax")
    backend = parser.parse_known_args(session.posargs)[0].backend
    python = environment(session, backend if backend in BACKENDS else "jax")
    command = ("examples/smoke_picture.py", "--backend", backend, *session.posargs)
    # Ctrl-C is the example's: it saves the best result so far before it ends.
    run(session, python, *command, env=QUIET, interrupt_timeout=60.0, terminate_timeout=10.0)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Benchmarks: native, PhiML/PhiFlow and ours in one run; arguments after `--` choose the rows."""
    python = environment(session, "bench")
    run(session, python, "-m", "benchmarks", *session.posargs, env=QUIET)


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """docs/support.md, what the law suite finds operations to support; docs/parity.md, names and PhiML's."""
    python = environment(session, "all")
    laws = sorted((ROOT / "packages").glob("*/tests/**/test_*laws*.py"))
    if not laws:
        session.error("no law suite, which would be packages/*/tests/**/test_*laws*.py")
    names = ROOT / "packages/phi-tensor/tests/test_parity.py"
    tables = {
        "PHI_SUPPORT_TABLE": ROOT / "docs" / "support.md",
        "PHI_PARITY_TABLE": ROOT / "docs" / "parity.md",
    }
    (ROOT / "docs").mkdir(exist_ok=True)
    env = {variable: str(table) for variable, table in tables.items()}
    pytest(session, python, *laws, names, backends=",".join(BACKENDS), **env)


if __name__ == "__main__":
    nox.main()
