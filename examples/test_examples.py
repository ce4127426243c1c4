"""A number from every example, by `main` of its module, and what users of the demo may do wrong."""

import json
import signal
from functools import partial

import bubbles
import checkpoint
import compare_backends
import galaxy
import numpy as np
import picture
import pytest
import smoke_picture
import stirring
from matplotlib import image

import phi_tensor as math
from phi_tensor import batch, channel, instance, spatial
from phi_tensor.testing import assert_close

TINY = "--resolution", "16", "--steps", "8"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "results"


@pytest.fixture(autouse=True)
def _interrupt_as_before():
    handler = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, handler)


def smoke(out, *arguments):
    return smoke_picture.main([*TINY, "--out", str(out), *arguments])


def result(out):
    return json.loads((out / "result.json").read_text("utf-8"))


def test_galaxy_keeps_its_center_of_mass(backend):
    trajectory, drift = galaxy.main(count=15, steps=20)
    assert trajectory.shape.get_size("time") == 21
    assert float(math.max(drift, "runs")) < 1e-6


def test_bubbles_stop_overlapping(backend):
    if "reverse" not in backend.supports:
        pytest.skip("NumPy has no derivatives")
    _, before, after = bubbles.main(iterations=60)
    assert bool(math.all(before > 0.5, "runs"))
    assert bool(math.all(after < 1e-3 * before, "runs"))


# --- pictures


def drawn(tmp_path, pixels, name="picture.png"):
    path = tmp_path / name
    image.imsave(path, pixels, **({"cmap": "gray", "vmin": 0, "vmax": 1} if pixels.ndim == 2 else {}))
    return path


def corner(paper, ink):
    """A landscape picture with ink in its upper left quarter of the left half."""
    pixels = np.full((40, 80), paper)
    pixels[10:20, 10:20] = ink
    return pixels


@pytest.mark.parametrize(("paper", "ink"), [(1, 0), (0, 1), (0.9, 0.2)])
def test_ink_becomes_smoke_upright_in_the_middle_of_a_square(paper, ink, tmp_path):
    density = picture.target_density(drawn(tmp_path, corner(paper, ink)), 16)
    assert density.shape == (16, 16)
    x, y = (np.average(np.arange(16) + 0.5, weights=density.sum(axis)) for axis in (1, 0))
    assert x == pytest.approx(16 * 15 / 80, abs=0.05)  # left
    assert y == pytest.approx(16 * (1 - (20 + 15) / 80), abs=0.05)  # above the middle


@pytest.mark.parametrize("color", [0.0, 1.0])
def test_transparency_is_paper(color, tmp_path):
    alpha = corner(0.0, 1.0)
    pixels = np.stack([np.full_like(alpha, color)] * 3 + [alpha], -1)
    expected = picture.target_density(drawn(tmp_path, corner(0.0, 1.0), "opaque.png"), 16)
    density = picture.target_density(drawn(tmp_path, pixels), 16)
    np.testing.assert_allclose(density, expected, atol=1e-6)


def test_default_picture_fills_the_box_symmetrically():
    density = picture.target_density(None, 32)
    assert 0.1 < density.mean() < 0.3
    np.testing.assert_allclose(density, density[::-1], atol=0.15)
    for axis in (0, 1):
        filled = np.nonzero(density.any(axis))[0]
        assert filled[0] == pytest.approx(31 - filled[-1], abs=1)


def test_start_has_the_smoke_of_the_target():
    target = picture.target_density(None, 20)
    start = picture.bar_like(target)
    np.testing.assert_array_equal(np.sort(start, None), np.sort(target, None))
    assert start[:, :10].sum() > 0.9 * start.sum()


# --- the simulation


@pytest.mark.parametrize("axes", ["x,y", "x,y,z"])
def test_flow_runs_unchanged_in_3d_and_for_batches(axes, backend, rng):
    count = len(axes.split(","))
    densities = rng.uniform(0, 1, (2, *[6] * count))
    modes = math.tensor(
        rng.normal(0, 1, (2, *[6] * count, count)), instance("moment"), spatial(axes), channel(vector=axes)
    )
    both = math.stack([stirring.smoke_of(d, axes) for d in densities], batch("runs"))
    ends = stirring.flow(both, modes, 2)
    for i, density in enumerate(densities):
        alone = stirring.flow(stirring.smoke_of(density, axes), modes, 2)
        assert_close(ends.values.runs[i], alone.values, atol=1e-6, because="rounding of positions")
        assert float(math.max(abs(alone.values - stirring.smoke_of(density, axes).values))) > 0.1


@pytest.mark.compiled
@pytest.mark.needs("jit", "reverse")
def test_descent_that_has_arrived_stays(backend, rng):
    smoke = stirring.smoke_of(rng.uniform(0, 1, (6, 6)), "x,y")
    descent = stirring.Descent(smoke, smoke, 2)
    still = math.zeros_like(descent.state[0])
    descent.state = still, descent.state[1]
    assert descent.iterate(0.0) == pytest.approx((0, 1), abs=1e-6)
    assert_close(descent.state[0], still)


# --- the demo


@pytest.mark.compiled
@pytest.mark.needs("jit", "reverse")
def test_smoke_forms_the_picture_and_goes_on(backend, out, monkeypatch, capsys):
    run = partial(smoke, out, "--backend", backend.name)
    stop_after(monkeypatch, 3)
    assert run("--iterations", "150") == 130
    assert len(result(out)["losses"]) == 3
    assert {path.name for path in out.iterdir()} == {
        "smoke.gif", "result.png", "loss.png", "result.json", checkpoint.FILE,
    }  # fmt: skip
    assert run("--iterations", "150") == 0
    numbers = result(out)
    assert len(numbers["losses"]) == len(numbers["correlations"]) == 150
    assert numbers["correlation"] > 0.9
    assert numbers["correlation"] == pytest.approx(
        numbers["correlations"][numbers["best_iteration"]], abs=1e-3
    )
    assert numbers["best_iteration"] == np.argmin(numbers["losses"])

    with pytest.raises(SystemExit) as ended:
        run("--steps", "5")
    assert ended.value.code == 2
    assert "steps 8" in one_line(capsys)


def stop_after(monkeypatch, iterations):
    """Press Ctrl-C in an iteration."""
    original = stirring.Descent.iterate
    calls = []

    def iterate(descent, done):
        calls.append(done)
        if len(calls) == iterations:
            signal.raise_signal(signal.SIGINT)
        return original(descent, done)

    monkeypatch.setattr(stirring.Descent, "iterate", iterate)


@pytest.mark.compiled
@pytest.mark.needs("jit", "reverse")
def test_interrupted_run_equals_an_uninterrupted_one(backend, tmp_path, monkeypatch):
    arguments = "--backend", backend.name, "--precision", "64", "--iterations", "5"
    assert smoke(tmp_path / "a", *arguments) == 0
    stop_after(monkeypatch, 2)
    for code in (130, 0):
        assert smoke(tmp_path / "b", *arguments) == code
    a, b = (result(tmp_path / name)["losses"] for name in "ab")
    np.testing.assert_allclose(a, b, rtol=1e-9)  # round-off of another compilation grows over the steps


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--image", "nowhere.png"], ["nowhere.png", "--image"]),
        (["--backend", "cupy"], ["cupy", "jax", "torch", "tensorflow"]),
        (["--backend", "numpy"], ["numpy", "jax"]),
        (["--resolution", "4"], ["--resolution", "8", "256"]),
        (["--resolution", "9.5"], ["--resolution", "9.5"]),
        (["--steps", "none"], ["--steps", "none"]),
        (["--iterations", "0"], ["--iterations", "0"]),
        (["--precision", "16"], ["--precision", "16"]),
    ],
)
def test_wrong_arguments_end_with_one_line(arguments, words, out, capsys):
    with pytest.raises(SystemExit) as ended:
        smoke(out, *arguments)
    assert ended.value.code == 2
    line = one_line(capsys)
    assert [word for word in words if word not in line] == []


@pytest.mark.parametrize("content", ["text", "flat"])
def test_unusable_pictures_end_with_one_line(content, tmp_path, out, capsys):
    path = tmp_path / "picture.png"
    if content == "text":
        path.write_text("no picture", "utf-8")
    else:
        drawn(tmp_path, np.full((10, 10), 0.5))
    with pytest.raises(SystemExit) as ended:
        smoke(out, "--image", str(path))
    assert ended.value.code == 2
    assert "picture.png" in one_line(capsys)
    assert not out.exists()


def test_missing_backend_ends_with_one_line(out, capsys, monkeypatch):
    monkeypatch.setattr("phi_tensor.backends._registry.find_spec", lambda name: None)
    monkeypatch.setattr("phi_tensor.backends._registry.LOADED", {})
    with pytest.raises(SystemExit) as ended:
        smoke(out, "--backend", "torch")
    assert ended.value.code == 2
    assert "pip install phi-tensor[torch]" in one_line(capsys)


def test_broken_checkpoints_are_refused(out, capsys):
    out.mkdir()
    (out / checkpoint.FILE).write_text("broken", "utf-8")
    with pytest.raises(checkpoint.OtherRun, match="delete"):
        checkpoint.load(out, {}, ())


def one_line(capsys):
    error = capsys.readouterr().err
    assert error.startswith("smoke_picture.py: ") or "\nsmoke_picture.py: " in error
    lines = [line for line in error.splitlines() if line.startswith("smoke_picture.py")]
    assert len(lines) == 1
    assert error.endswith(lines[0] + "\n")
    return lines[0]


# --- all backends


@pytest.mark.interop
@pytest.mark.compiled
@pytest.mark.slow
@pytest.mark.parametrize("precision", compare_backends.TOLERANCES)
def test_backends_agree_over_ten_iterations(precision):
    difference, seconds = compare_backends.compare(
        compare_backends.BACKENDS, precision, resolution=16, steps=4
    )
    assert difference <= compare_backends.TOLERANCES[precision]
    assert all(times["first_iteration"] > 0 for times in seconds.values())
