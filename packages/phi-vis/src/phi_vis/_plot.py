"""The public functions: `plot`, `animate`, `show`, `save`, `close`."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from matplotlib.figure import Figure

import phi_tensor as math
from phi_tensor import IncompatibleShapes, Shape, Tensor, Unsupported, batch
from phi_vis import _files
from phi_vis._animation import Animation
from phi_vis._layout import Dims, arranged
from phi_vis._look import Look
from phi_vis._matplotlib import Drawing, checked_library
from phi_vis._scene import frame_dim, scene


def plot(
    *fields: Any,
    lib: str | None = None,
    row_dims: Any = None,
    col_dims: Any = batch,
    animate: str | Shape | None = None,
    overlay: Any = "overlay",
    title: str | Sequence[str] | None = None,
    size: tuple[float, float] | None = None,
    same_scale: bool = True,
    log_dims: str | Sequence[str] = "",
    show_color_bar: bool = True,
    color: str | Sequence[str] | None = None,
    alpha: float = 1.0,
    err: Tensor | float | None = 0.0,
    frame_time: float = 100,
    repeat: bool = True,
    plt_params: Mapping[str, Any] | None = None,
    max_subfigures: int = 20,
) -> Figure | Animation:
    """Figure (or animation) of tensors, fields and geometries; what is drawn follows from their dims.

    One axis: curves, one per channel, with a legend. Two axes: a heat map, or arrows for vectors. Three: the
    middle plane. Unordered points: a scatter plot. Geometries: their area. Numbers with only a batch dim: a
    curve along it. Other batch dims, and channels of images: subplots. x points to the right and y upwards,
    in physical coordinates. Opens no window and changes no setting.

    Args:
        *fields: Tensors, fields, geometries, `overlay(…)` of these: one subplot (or block of subplots) each.
            Dicts give titled ones.
        lib: Plotting library: `matplotlib`.
        row_dims: Dims that become rows of subplots.
        col_dims: Dims that become columns of subplots.
        animate: Dim that becomes time; the result is an `Animation`.
        overlay: Batch dims whose entries are drawn in one subplot.
        title: Above the picture; a sequence gives one per subplot.
        size: Width and height [inch], by default chosen by content.
        same_scale: Whether subplots over the same axes share limits and colours. Frames always do.
        log_dims: Comma list of axes with logarithmic scale; `_` stands for the numbers.
        show_color_bar: Whether to explain colours.
        color: Colour of curves, arrows and points, or one per curve; for images the name of a colour map.
        alpha: Opacity between 0 and 1 [-].
        err: Half width of the band around curves, in the unit of the numbers.
        frame_time: Duration of a frame [ms].
        repeat: Whether animations start again at the end.
        plt_params: Matplotlib's `rcParams` for this figure only.
        max_subfigures: Largest number of subplots [-].

    Raises:
        IncompatibleShapes: Nothing to plot, too many subplots, or no dim `animate`.
        Unsupported: Something that cannot be drawn.

    >>> import phi_tensor as math
    >>> figure = plot({"ramp": math.linspace(0, 1, math.spatial(x=5))})
    >>> figure.axes[0].get_title()
    'ramp'
    """
    checked_library(lib)
    frames = _name(animate)
    dims = Dims(row_dims, col_dims, frames, overlay)
    has_error = isinstance(err, Tensor) or bool(err)
    cells = arranged(fields, dims, err if has_error else None, max_subfigures)
    logarithmic = log_dims.split(",") if isinstance(log_dims, str) else log_dims
    colors = (color,) if isinstance(color, str) else tuple(color or ())
    look = Look(colors, alpha, show_color_bar, dict(plt_params or {}), title, size)
    drawing = Drawing(
        scene(
            cells,
            frame_dim(cells, frames),
            same_scale,
            [name.strip() for name in logarithmic if name.strip()],
        ),
        look,
    )
    return drawing.figure if frames is None else Animation(drawing, frame_time, repeat)


def animate(field: Any, dim: str | Shape = "time", **options: Any) -> Animation:
    """Animation of what `plot` draws, one frame per entry of `dim`.

    Args:
        field: As in `plot`; also a list of states, which are then the frames.
        dim: Dim that becomes time.
        **options: As in `plot`.
    """
    name = cast("str", _name(dim))
    if isinstance(field, (list, tuple)):
        states = cast("Sequence[Any]", field)
        if not states:
            raise IncompatibleShapes(
                "`animate` needs at least one frame, but found an empty list. Pass the states in their order."
            )
        field = math.stack(states, batch(name))
    return cast("Animation", plot(field, animate=name, **options))


def show(*fields: Any, **options: Any) -> Figure | Animation:
    """What `plot` draws, displayed in a notebook. Elsewhere it warns, as no windows are opened: use `save`.

    Args:
        *fields: As in `plot`, or one figure or animation.
        **options: As in `plot`.
    """
    picture = (
        fields[0]
        if len(fields) == 1 and isinstance(fields[0], (Figure, Animation))
        else plot(*fields, **options)
    )
    notebook = sys.modules.get("IPython")
    shell = notebook.get_ipython() if notebook is not None else None
    if shell is None:
        warnings.warn(
            "`show` displays pictures in notebooks, and this is none. Write a file: `save('a.png', figure)`.",
            stacklevel=2,
        )
    else:
        cast("Any", notebook).display.display(picture)
    return picture


def save(
    path: str | Path, data: Any = None, dpi: float = 120, fps: float | None = None, **options: Any
) -> Path:
    """Path of the file written: PNG, PDF, SVG or JPG for figures, GIF or (with `ffmpeg`) MP4 for animations.

    Missing folders are made; an existing file is replaced at once when the new one is complete. GIFs store
    frames that equal their predecessor as a longer duration.

    Args:
        path: File name; its suffix decides the format.
        data: Figure, animation, or anything that `plot` draws. For GIF and MP4 its dim `time` becomes time
            unless `animate` names another.
        dpi: Pixels per inch.
        fps: Frames per second of an animation [1/s], by default from its `frame_time`.
        **options: As in `plot`, if `data` is no figure yet.

    Raises:
        Unsupported: The format does not fit, or `ffmpeg` is missing.
    """
    if not isinstance(path, (str, Path)):  # pyright: ignore[reportUnnecessaryIsInstance] swapped arguments are a common slip
        raise TypeError(f"`save(path, figure)` needs the path first, but found `{type(path).__name__}`.")
    path = Path(path)
    if data is None:
        raise TypeError(
            "`save(path, figure)` needs what to save: a figure, an animation, or something that `plot` draws."
        )
    if not isinstance(data, (Figure, Animation)):
        moving = path.suffix.lower().lstrip(".") in _files.MOVING
        data = animate(data, options.pop("animate", "time"), **options) if moving else plot(data, **options)
    elif options:
        raise Unsupported(
            f"A finished figure takes no more options, but found {sorted(options)}. Pass them to `plot`."
        )
    if isinstance(data, Animation):
        return _files.save_animation(path, data, dpi, fps)
    return _files.save_figure(path, data, dpi)


def close(figure: Figure | Animation | None = None) -> None:
    """Frees what a figure holds. Figures vanish with their last reference, so this is rarely needed.

    Args:
        figure: Figure or animation; without it, nothing is left to do, because nothing is kept.
    """
    if figure is not None:
        (figure.figure if isinstance(figure, Animation) else figure).clear()


def _name(dim: str | Shape | None) -> str | None:
    return dim.name if isinstance(dim, Shape) else dim
