"""Figures: the numbers in Matplotlib's artists, the files, the frames."""

import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.animation import FFMpegWriter
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.quiver import Quiver
from PIL import Image

import phi_tensor as math
import phi_vis as vis
from phi_tensor import IncompatibleShapes, Unsupported, batch, channel, instance, spatial, wrap


def ramp():
    return wrap(np.arange(12.0).reshape(4, 3), spatial("x,y"))


def moving(frames=4):
    values = np.zeros((frames, 16, 12))
    for i in range(frames):
        values[i, 3 * i : 3 * i + 3] = 1
    return wrap(values, batch("time"), spatial("x,y"))


def test_image_points_up(backend):
    values = math.tensor(np.arange(12.0).reshape(4, 3), spatial("x,y"))
    axes = vis.plot(values).axes[0]
    image = axes.images[0]
    assert image.origin == "lower"
    np.testing.assert_array_equal(np.asarray(image.get_array())[0], [0, 3, 6, 9])
    assert tuple(image.get_extent()) == (-0.5, 3.5, -0.5, 2.5)
    assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, 3.5), (-0.5, 2.5))
    assert axes.get_aspect() == 1
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("x", "y")


def test_bright_cell_is_where_it_belongs():
    values = np.zeros((8, 8))
    values[6, 1] = 1
    figure = vis.plot(wrap(values, spatial("x,y")), show_color_bar=False, size=(3, 3))
    pixels = pixels_of(figure)
    height = pixels.shape[0]
    x, y = figure.axes[0].transData.transform((6, 1))
    assert tuple(pixels[height - int(y), int(x), :3]) == (253, 231, 36)
    x, y = figure.axes[0].transData.transform((1, 6))
    assert tuple(pixels[height - int(y), int(x), :3]) == (68, 1, 84)


def pixels_of(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def test_colours_cover_the_range_and_zero_is_white_for_both_signs():
    assert vis.plot(ramp()).axes[0].images[0].get_clim() == (0, 11)
    signed = vis.plot(ramp() - 4).axes[0].images[0]
    assert signed.get_clim() == (-7, 7)
    assert signed.get_cmap().name == "RdBu_r"
    assert vis.plot(ramp(), color="magma").axes[0].images[0].get_cmap().name == "magma"


def test_missing_numbers_are_grey():
    image = vis.plot(math.where(ramp() > 5, np.nan, ramp())).axes[0].images[0]
    assert image.get_clim() == (0, 5)
    assert mpl.colors.to_hex(image.cmap(np.ma.masked_invalid([np.nan]))[0]) == "#bdbdbd"


def test_colour_bar_is_as_high_as_the_image_and_once_per_row():
    figure = vis.plot({"target": ramp(), "result": ramp() / 2})
    figure.canvas.draw()
    assert [len(axes.child_axes) for axes in figure.axes[:2]] == [0, 1]
    bar = figure.axes[1].child_axes[0].get_window_extent()
    image = figure.axes[1].get_window_extent()
    assert (bar.y0, bar.y1) == pytest.approx((image.y0, image.y1), abs=1)
    assert 0.02 < bar.width / image.width < 0.08


def test_nothing_overlaps():
    figure = vis.plot(
        {"a": ramp(), "b": ramp() * 1e5 - 3e5, "c": wrap([1.0, 2.0], spatial("x"))},
        same_scale=False,
        title="Three",
    )
    figure.canvas.draw()
    boxes = [
        axes.get_tightbbox()
        for axes in figure.axes
        if axes not in [c for a in figure.axes for c in a.child_axes]
    ]
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:i])
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1


def test_curves_have_legend_and_limits():
    values = math.stack(
        {"a": math.linspace(0, 1, spatial(x=5)), "b": math.ones(spatial(x=5))}, channel("kind")
    )
    axes = vis.plot(values, title="Curves").axes[0]
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["a", "b"]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0, 0.25, 0.5, 0.75, 1])
    assert axes.get_xlim() == (0, 4)
    assert axes.get_ylim() == pytest.approx((-0.05, 1.05))
    assert axes.get_title() == "Curves"
    assert axes.lines[0].get_color() != axes.lines[1].get_color()


def test_logarithmic_loss():
    axes = vis.plot(wrap([100.0, 1.0], batch("iteration")), log_dims="_").axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")


def test_longest_arrow_is_as_long_as_the_spacing():
    velocity = math.stack({"x": ramp(), "y": -ramp()}, channel("vector"))
    axes = vis.plot(velocity).axes[0]
    (arrows,) = [c for c in axes.collections if isinstance(c, Quiver)]
    np.testing.assert_allclose(arrows.V, -np.asarray(arrows.U))
    assert np.hypot(arrows.U, arrows.V).max() / arrows.scale == pytest.approx(1)
    assert arrows.angles == "xy"


def test_points_are_where_they_belong():
    places = wrap([[0.0, 1.0], [2.0, 3.0]], instance("points"), channel(vector="x,y"))
    (points,) = [c for c in vis.plot(places).axes[0].collections if isinstance(c, PathCollection)]
    np.testing.assert_array_equal(points.get_offsets(), [[0, 1], [2, 3]])


def test_titles_one_per_subplot_or_above_all():
    figure = vis.plot(ramp(), ramp(), title=["left", "right"])
    assert [axes.get_title() for axes in figure.axes[:2]] == ["left", "right"]
    assert vis.plot(ramp(), ramp(), title="Both").get_suptitle() == "Both"


def test_global_settings_are_left_alone():
    before = dict(mpl.rcParams)
    figure = vis.plot(ramp(), plt_params={"font.size": 20})
    assert dict(mpl.rcParams) == before
    assert figure.axes[0].xaxis.label.get_fontsize() == 20


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("jpg", b"\xff\xd8")]
)
def test_still_files_are_written_completely_and_reproducibly(tmp_path, suffix, start):
    files = [vis.save(tmp_path / "new" / f"{name}.{suffix}", vis.plot(ramp())) for name in "ab"]
    contents = [file.read_bytes() for file in files]
    assert contents[0].startswith(start)
    assert contents[0] == contents[1]
    assert len(list((tmp_path / "new").iterdir())) == 2


def test_png_has_the_size_asked_for(tmp_path):
    vis.savefig(tmp_path / "a.png", vis.plot(ramp(), size=(4, 3)), dpi=50)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (200, 150)


def test_gif_has_all_frames_and_their_duration(tmp_path):
    animation = vis.animate(moving(), frame_time=50)
    assert len(animation) == 4
    vis.save(tmp_path / "a.gif", animation, dpi=40)
    with Image.open(tmp_path / "a.gif") as gif:
        assert (gif.n_frames, gif.info["duration"], gif.info["loop"]) == (4, 50, 0)
        frames = []
        for i in range(4):
            gif.seek(i)
            frames.append(np.asarray(gif.convert("RGB")).astype(int))
    yellow = [np.argwhere(np.abs(f - [253, 231, 36]).sum(-1) < 12)[:, 1] for f in frames]
    width = frames[0].shape[1]
    positions = [np.median(x[x < 0.8 * width]) for x in yellow]
    assert positions == sorted(positions)
    assert positions[0] < 0.4 * width < positions[-1]


def test_gif_speed_and_end(tmp_path):
    vis.save(tmp_path / "a.gif", vis.animate(moving(2), repeat=False), dpi=30, fps=20)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["duration"] == 50
        assert "loop" not in gif.info


def test_frames_update_the_artists_in_place():
    velocity = math.stack({"x": moving(), "y": 2 * moving()}, channel("vector"))
    animation = vis.plot({"smoke": moving(), "v": velocity, "mean": math.mean(moving())}, animate="time")
    image, arrows = animation.figure.axes[0].images[0], animation.figure.axes[1].collections[0]
    line = animation.figure.axes[2].lines[0]
    for i in (2, 0, 3, -1):
        animation.frame(i)
        frame = moving().time[i % 4]
        np.testing.assert_array_equal(image.get_array(), frame.numpy("y,x"))
        np.testing.assert_array_equal(np.asarray(arrows.V), 2 * np.asarray(arrows.U))
        assert np.isfinite(line.get_ydata()).sum() == i % 4 + 1
        assert animation.figure.get_suptitle() == f"time = {i % 4}"
        assert image.get_clim() == (0, 1)
    with pytest.raises(IndexError, match="no frame 4"):
        animation.frame(4)


def test_list_of_states_is_an_animation():
    animation = vis.animate([ramp(), 2 * ramp(), 3 * ramp()])
    assert len(animation) == 3
    assert animation.figure.axes[0].images[0].get_clim() == (0, 33)
    with pytest.raises(IncompatibleShapes, match="empty list"):
        vis.animate([])


def test_data_can_be_saved_directly(tmp_path):
    vis.save(tmp_path / "a.png", ramp(), title="Ramp")
    vis.save(tmp_path / "a.gif", moving(2), dpi=30)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 2


def test_all_marks_animate(tmp_path):
    places = wrap(np.arange(12.0).reshape(2, 3, 2) ** 2, batch("time"), instance("p"), channel(vector="x,y"))
    animation = vis.plot(
        places, math.stack({"a": wrap([1.0, 2.0], batch("time"))}, channel("q")), animate="time"
    )
    animation.frame(1)
    np.testing.assert_array_equal(
        animation.figure.axes[0].collections[0].get_offsets(), np.arange(6.0, 12).reshape(3, 2) ** 2
    )


def test_wrong_formats_are_refused(tmp_path):
    with pytest.raises(Unsupported, match=r"\.png, \.pdf.*a\.bmp"):
        vis.save(tmp_path / "a.bmp", vis.plot(ramp()))
    with pytest.raises(Unsupported, match=r"\.gif, \.mp4.*animation\.frame"):
        vis.save(tmp_path / "a.png", vis.animate(moving(2)))
    with pytest.raises(TypeError, match="path first"):
        vis.save(vis.plot(ramp()), tmp_path / "a.png")
    with pytest.raises(Unsupported, match="title"):
        vis.save(tmp_path / "a.png", vis.plot(ramp()), title="late")
    assert not list(tmp_path.iterdir())


def test_mp4_without_ffmpeg_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(Unsupported, match=r"ffmpeg.*a\.gif"):
        vis.save(tmp_path / "a.mp4", vis.animate(moving(2)))


@pytest.mark.skipif(not FFMpegWriter.isAvailable(), reason="ffmpeg is not installed")
def test_mp4(tmp_path):
    assert b"ftyp" in vis.save(tmp_path / "a.mp4", vis.animate(moving(2)), dpi=40).read_bytes()[:16]


def test_failed_writing_keeps_the_old_file(tmp_path, monkeypatch):
    path = vis.save(tmp_path / "a.png", vis.plot(ramp()))
    before = path.read_bytes()

    def fail(self, *args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        vis.save(path, vis.plot(ramp()))
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_show_opens_no_window():
    with pytest.warns(UserWarning, match="notebooks"):
        assert isinstance(vis.show(ramp()), Figure)


def test_animation_plays_in_notebooks():
    assert vis.animate(moving(2))._repr_html_().startswith('<img src="data:image/gif;base64,R0lGOD')


def test_other_libraries_are_refused_and_figures_closed():
    with pytest.raises(Unsupported, match="plotly"):
        vis.plot(ramp(), lib="plotly")
    figure = vis.plot(ramp())
    vis.close(figure)
    vis.close()
    assert not figure.axes


def test_constant_and_empty_ranges_do_not_warn():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pixels_of(
            vis.plot(ramp() * 0, ramp() * np.nan, wrap([np.nan, np.nan], spatial("x")), same_scale=False)
        )


def test_frames_drawn_over_a_kept_background_equal_whole_drawings():
    velocity = math.stack({"x": moving(), "y": 2 * moving()}, channel("vector"))
    series = math.stack(
        {"a": math.mean(moving()), "b": wrap([0.0, 0.3, 0.1, 0.2], batch("time"))}, channel("q")
    )
    animation = vis.plot({"smoke": moving(), "v": velocity, "mean": series}, animate="time")
    for i in (0, 3):
        animation.frame(i)
        quick = animation.current_pixels(60).astype(int)
        whole = pixels_of(animation.figure).astype(int)
        differing = np.abs(quick - whole).max(-1) > 24
        assert differing.mean() < 1e-3, "edges of lines may be blended twice"


def test_paper_of_a_gif_is_white(tmp_path):
    vis.save(tmp_path / "a.gif", vis.animate(moving(3)), dpi=40)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
