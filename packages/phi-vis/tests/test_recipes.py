"""Marks: what each recipe makes of its data, before anything is drawn."""

import numpy as np
import pytest

import phi_tensor as math
import phi_vis as vis
from phi_field import CenteredGrid, StaggeredGrid
from phi_geom import Box, Sphere, UniformGrid
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, vec, wrap
from phi_tensor.testing import assert_close
from phi_vis._layout import Dims, arranged
from phi_vis._scene import frame_dim, scene


class Samples:
    """Stands for a field: values on a geometry."""

    def __init__(self, geometry, values):
        self.geometry, self.values = geometry, values

    def at_centers(self):
        return self


def grid(**resolution):
    return UniformGrid(**resolution, bounds=Box(x=(1, 4), y=(-1, 1)))


def panels(*fields, frame=0, frames=None, rows=None, columns=batch, same_scale=True, error=None, log=()):
    cells = arranged(fields, Dims(rows, columns, frames, "overlay"), error)
    return scene(cells, frame_dim(cells, frames), same_scale, log).panels(frame)


def mark(*fields, **options):
    (panel,) = panels(*fields, **options)
    (only,) = panel.marks
    return only


def test_image_has_its_first_row_at_the_bottom(backend):
    values = math.tensor(np.arange(6.0).reshape(3, 2), spatial("x,y"))
    image = mark(values)
    np.testing.assert_array_equal(image.values, [[0, 2, 4], [1, 3, 5]])
    assert image.extent == (-0.5, 2.5, -0.5, 1.5)


def test_image_does_not_depend_on_the_order_of_dims():
    a = wrap(np.arange(6.0).reshape(3, 2), spatial("x,y"))
    b = wrap(np.arange(6.0).reshape(3, 2).T, spatial("y,x"))
    np.testing.assert_array_equal(mark(a).values, mark(b).values)


def test_image_of_a_field_has_physical_extent():
    (panel,) = panels(Samples(grid(x=6, y=4), math.zeros(spatial(x=6, y=4))))
    assert panel.marks[0].extent == (1, 4, -1, 1)
    assert (panel.x.limits, panel.y.limits, panel.x.label, panel.y.label) == ((1, 4), (-1, 1), "x", "y")
    assert panel.is_space


def test_values_constant_along_an_axis_fill_the_grid():
    values = wrap(np.arange(6.0), spatial("x"))
    np.testing.assert_array_equal(
        mark(Samples(grid(x=6, y=4), values)).values, np.tile(np.arange(6.0), (4, 1))
    )


def test_curve_has_the_cell_centres_as_abscissae():
    curve = mark(Samples(UniformGrid(x=4, bounds=Box(x=(1, 3))), wrap([1.0, 2.0, np.nan, 0.0], spatial("x"))))
    np.testing.assert_allclose(curve.x, [1.25, 1.75, 2.25, 2.75])
    np.testing.assert_array_equal(curve.y, [1, 2, np.nan, 0])
    assert curve.label is None


def test_one_curve_per_label():
    values = math.stack(
        {"a": math.linspace(0, 1, spatial(x=5)), "b": math.ones(spatial(x=5))}, channel("kind")
    )
    (panel,) = panels(values)
    assert [m.label for m in panel.marks] == ["a", "b"]
    np.testing.assert_allclose(panel.marks[0].y, [0, 0.25, 0.5, 0.75, 1])


def test_error_bands_are_inside_the_limits():
    (panel,) = panels(wrap([0.0, 1.0], spatial("x")), error=0.5)
    np.testing.assert_array_equal(panel.marks[0].error, [0.5, 0.5])
    assert panel.y.limits == pytest.approx((-0.6, 1.6))


def test_numbers_along_a_batch_dim_are_a_curve_over_it(backend):
    loss = math.tensor([4.0, 2.0, 1.0], batch("iteration"))
    (panel,) = panels({"loss": loss})
    np.testing.assert_array_equal(panel.marks[0].x, [0, 1, 2])
    np.testing.assert_array_equal(panel.marks[0].y, [4, 2, 1])
    assert (panel.title, panel.x.label) == ("loss", "iteration")


def test_arrows_are_thinned_and_keep_their_values_and_places():
    g = grid(x=96, y=64)
    velocity = math.stack({"x": g.center.vector["y"], "y": -g.center.vector["x"]}, channel("vector"))
    arrows = mark(Samples(g, velocity))
    np.testing.assert_allclose(arrows.u, arrows.y, rtol=1e-6)
    np.testing.assert_allclose(arrows.v, -arrows.x, rtol=1e-6)
    assert len(np.unique(arrows.x)) == 24
    assert len(np.unique(arrows.y)) == 16
    assert arrows.spacing == pytest.approx(3 / 24)


def test_arrows_take_the_components_by_label():
    values = math.stack(
        {"y": math.ones(spatial(x=3, y=3)), "x": math.zeros(spatial(x=3, y=3))}, channel("vector")
    )
    arrows = mark(values)
    assert set(arrows.u) == {0.0}
    assert set(arrows.v) == {1.0}


def test_volume_is_cut_in_the_middle_and_says_so():
    values = wrap(np.arange(4.0), spatial("z")) + math.zeros(spatial(x=3, y=2))
    (panel,) = panels(values)
    assert set(panel.marks[0].values.ravel()) == {2.0}
    assert panel.note == "cut at z = 2"


def test_positions_are_points(backend):
    places = math.tensor([[0.0, 1.0], [2.0, 3.0], [4.0, 7.0]], instance("points"), channel(vector="x,y"))
    (panel,) = panels(places)
    np.testing.assert_array_equal(panel.marks[0].x, [0, 2, 4])
    np.testing.assert_array_equal(panel.marks[0].y, [1, 3, 7])
    assert panel.x.limits == pytest.approx((-0.2, 4.2))


def test_numbers_at_points_are_their_colours():
    places = wrap([[0.0, 1.0], [2.0, 3.0]], instance("points"), channel(vector="x,y"))
    (panel,) = panels(Samples(Sphere(places, radius=1), wrap([5.0, 6.0], instance("points"))))
    np.testing.assert_array_equal(panel.marks[0].values, [5, 6])
    assert panel.values == (5, 6)


def test_vectors_at_points_are_arrows():
    places = wrap([[0.0, 1.0], [2.0, 3.0]], instance("points"), channel(vector="x,y"))
    (panel,) = panels(Samples(Sphere(places, radius=1), 3 * places))
    np.testing.assert_array_equal(panel.marks[1].u, [0, 6])
    np.testing.assert_array_equal(panel.marks[1].v, [3, 9])


def test_geometry_is_the_area_of_negative_distance():
    region = mark(Sphere(x=1, y=2, radius=0.5))
    left, right, bottom, top = region.extent
    assert (left + right) / 2 == pytest.approx(1)
    assert (bottom + top) / 2 == pytest.approx(2)
    area = np.mean(region.distance < 0) * (right - left) * (top - bottom)
    assert area == pytest.approx(np.pi / 4, rel=1e-2)


def test_trajectory_is_a_path():
    curve = mark(wrap([[0.0, 1.0], [2.0, 5.0]], spatial("t"), channel(vector="x,y")))
    np.testing.assert_array_equal(curve.x, [0, 2])
    np.testing.assert_array_equal(curve.y, [1, 5])


def test_labelled_numbers_are_bars():
    bars = mark(vec(a=1.0, b=-2.0))
    assert bars.labels == ("a", "b")
    np.testing.assert_array_equal(bars.heights, [1, -2])


def test_complex_numbers_are_shown_by_magnitude():
    np.testing.assert_allclose(mark(wrap([3 + 4j, 1j], spatial("x"))).y, [5, 1])


def test_batch_dims_are_subplots_with_shared_scale():
    values = math.stack(
        {"low": math.zeros(spatial(x=2, y=2)), "high": 3 * math.ones(spatial(x=2, y=2))}, batch("run")
    )
    assert [p.title for p in panels(values)] == ["low", "high"]
    assert [p.values for p in panels(values)] == [(0, 3), (0, 3)]
    assert [p.values for p in panels(values, same_scale=False)] == [(-0.5, 0.5), (1.5, 4.5)]


def test_channels_of_images_are_subplots():
    values = math.stack(
        {"density": math.zeros(spatial(x=2, y=2)), "heat": math.ones(spatial(x=2, y=2))}, channel("what")
    )
    assert [p.title for p in panels(values)] == ["density", "heat"]


def test_rows_and_columns():
    values = math.zeros(batch(a=2, b=3), spatial(x=2, y=2))
    cells = arranged([values], Dims("a", "b", None, "overlay"))
    assert [(c.row, c.column, c.title) for c in cells[1:4]] == [
        (0, 1, "a=0, b=1"),
        (0, 2, "a=0, b=2"),
        (1, 0, "a=1, b=0"),
    ]


def test_many_subplots_are_wrapped():
    cells = arranged([math.zeros(batch(a=12), spatial(x=2))], Dims(None, batch, None, "overlay"))
    assert max(c.column for c in cells) == 3
    assert max(c.row for c in cells) == 2


def test_overlaid_curves_are_told_apart():
    (panel,) = panels(vis.overlay({"a": wrap([0.0, 1.0], spatial("x")), "b": wrap([5.0, 1.0], spatial("x"))}))
    assert [m.label for m in panel.marks] == ["a", "b"]
    assert panel.y.limits == pytest.approx((-0.25, 5.25))
    (panel,) = panels(
        math.stack({"u": math.zeros(spatial(x=3)), "v": math.ones(spatial(x=3))}, batch("overlay"))
    )
    assert [m.label for m in panel.marks] == ["u", "v"]


def test_colours_and_arrows_of_an_overlay_do_not_share_a_range():
    g = grid(x=6, y=4)
    (panel,) = panels(
        vis.overlay(
            Samples(g, math.ones(spatial(x=6, y=4))),
            Samples(g, 100 * math.ones(spatial(x=6, y=4), channel(vector="x,y"))),
        )
    )
    assert panel.values == (0.5, 1.5)
    assert panel.lengths == pytest.approx((0, 100 * 2**0.5))


def test_frames_share_their_scale():
    values = math.stack([math.zeros(spatial(x=2, y=2)), 3 * math.ones(spatial(x=2, y=2))], batch("time"))
    for frame in range(2):
        (panel,) = panels(values, frames="time", frame=frame)
        assert panel.values == (0, 3)
        assert set(panel.marks[0].values.ravel()) == {3.0 * frame}


def test_series_grow_with_the_frames():
    series = wrap([1.0, 2.0, 3.0], batch("time"))
    (panel,) = panels(series, frames="time", frame=1)
    np.testing.assert_array_equal(panel.marks[0].y, [1, 2, np.nan])
    assert panel.y.limits == pytest.approx((0.9, 3.1))


def test_frames_along_a_spatial_dim():
    values = wrap(np.arange(24.0).reshape(4, 3, 2), spatial("z,y,x"))
    np.testing.assert_array_equal(mark(values, frames="z", frame=3).values, np.arange(18.0, 24).reshape(3, 2))


def test_logarithmic_limits_are_positive():
    (panel,) = panels(wrap([0.0, 1.0, 100.0], spatial("x")), log=("_",))
    assert panel.y.is_log
    assert 0 < panel.y.limits[0] < panel.y.limits[1]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("text", ("str", "wrap")),
        (math.zeros(spatial(x=2), math.dual(y=2)), ("dual", "~y", "rename_dims")),
        (math.zeros(spatial(x=2, y=2), instance(p=3)), ("p:i=3", "batch")),
    ],
)
def test_errors_say_what_cannot_be_drawn(data, words):
    with pytest.raises(Unsupported) as error:
        panels(data)
    assert all(word in str(error.value) for word in words)


def test_error_for_too_many_subplots():
    with pytest.raises(IncompatibleShapes, match=r"30 subplots.*b:b=30.*max_subfigures=20.*animate='name'"):
        panels(math.zeros(batch(b=30), spatial(x=2)))


def test_error_for_nothing_to_plot():
    with pytest.raises(IncompatibleShapes, match="found no fields"):
        panels()


def test_error_for_frames_along_an_absent_dim():
    with pytest.raises(IncompatibleShapes, match=r"no dim `time`.*x:s=2"):
        panels(math.zeros(spatial(x=2)), frames="time")
    two = [math.zeros(batch(time=n), spatial(x=2)) for n in (2, 3)]
    with pytest.raises(IncompatibleShapes, match=r"\[2, 3\]"):
        panels(*two, frames="time")


def test_error_for_unbounded_geometry():
    with pytest.raises(IncompatibleShapes, match="finite bounds"):
        panels(Box(x=1, y=None))


def test_scale_is_kept_in_64_bit():
    with math.precision(64):
        values = 1e8 + wrap(np.arange(4.0).reshape(2, 2), spatial("x,y"))
    assert_close(wrap(mark(values).values, spatial("y,x")), values)


def test_staggered_grids_are_shown_at_the_centres():
    field = StaggeredGrid(lambda p: 2 * p, "periodic", Box(x=(1, 4), y=(-1, 1)), x=6, y=4)
    arrows, expected = mark(field), field.at_centers().values
    np.testing.assert_allclose(arrows.u.reshape(4, 6), expected.vector["x"].numpy("y,x"), rtol=1e-6)
    np.testing.assert_allclose(arrows.v.reshape(4, 6), expected.vector["y"].numpy("y,x"), rtol=1e-6)
    np.testing.assert_allclose(np.unique(arrows.x), [1.25, 1.75, 2.25, 2.75, 3.25, 3.75])


def test_centered_grids_have_their_bounds(backend):
    field = CenteredGrid(Sphere(x=2, y=0, radius=0.6), 0, Box(x=(1, 4), y=(-1, 1)), x=6, y=4)
    image = mark(field)
    assert image.extent == (1, 4, -1, 1)
    np.testing.assert_array_equal(image.values, field.values.numpy("y,x"))
