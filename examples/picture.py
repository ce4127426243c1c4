"""Pictures as densities: ink is smoke, paper is none."""

from pathlib import Path

import numpy as np
from matplotlib import image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

CONTRAST = 0.02
"""Smallest difference between ink and paper, on a scale from black 0 to white 1."""


class Unusable(Exception):
    """A picture that smoke cannot form; the message says what to do."""


def target_density(path: Path | None, resolution: int) -> np.ndarray:
    """Density `(x, y)` between 0 and 1, y upwards, of a picture file or (None) of a Φ.

    Dark parts become smoke if the border is bright, bright parts if it is dark. Pictures are padded to a
    square and averaged over the cells.
    """
    pixels = drawn_letter("Φ") if path is None else read(path)
    ink = ink_of(pixels)
    if ink.max() < CONTRAST:
        raise Unusable(
            f"all pixels of {path} look alike, so there is nothing to form: take a picture with more contrast"
        )
    square = padded(ink / ink.max())
    weights = cell_weights(len(square), resolution)
    density = (weights @ square @ weights.T)[::-1].T
    return density / density.max()


def read(path: Path) -> np.ndarray:
    """Pixels `(row, column, …)` between 0 and 1."""
    if not path.is_file():
        raise Unusable(f"there is no file {path}: check --image")
    try:
        pixels = image.imread(path)
    except (OSError, SyntaxError, ValueError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unusable(f"{path} cannot be read as a picture ({reason}): save it as PNG or JPG") from error
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise Unusable(
            f"{path} holds an array of shape {pixels.shape}, not one picture: save it as PNG or JPG"
        )
    if np.issubdtype(pixels.dtype, np.integer):
        return pixels / np.iinfo(pixels.dtype).max
    pixels = np.nan_to_num(pixels.astype(float))
    return pixels / max(1.0, pixels.max())


def ink_of(pixels: np.ndarray) -> np.ndarray:
    """How dark each pixel `(row, column)` is, or how bright if the border is dark; 0 for paper.

    What shines through is paper, of a brightness unlike the rest.
    """
    light = pixels if pixels.ndim == 2 else luminance(pixels)
    if pixels.ndim == 3 and pixels.shape[-1] in (2, 4):
        alpha = pixels[..., -1]
        covered = np.average(light, weights=alpha) if alpha.any() else 0.0
        paper = 1.0 if covered < 0.5 else 0.0
        light = alpha * light + (1 - alpha) * paper
    border = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    ink = 1 - light if np.median(border) > 0.5 else light
    return np.maximum(ink - np.percentile(ink, 1), 0)


def luminance(pixels: np.ndarray) -> np.ndarray:
    """Brightness `(row, column)` of gray, RGB or RGBA pixels (ITU-R BT.709)."""
    return pixels[..., :3] @ (0.2126, 0.7152, 0.0722) if pixels.shape[-1] >= 3 else pixels[..., 0]


def padded(ink: np.ndarray) -> np.ndarray:
    """The same in the middle of a square."""
    side = max(ink.shape)
    missing = [side - length for length in ink.shape]
    return np.pad(ink, [(m // 2, m - m // 2) for m in missing])


def cell_weights(pixels: int, cells: int) -> np.ndarray:
    """Part of each cell that each pixel covers `(cell, pixel)`."""
    cell, pixel = np.linspace(0, 1, cells + 1), np.linspace(0, 1, pixels + 1)
    upper, lower = np.minimum(cell[1:, None], pixel[1:]), np.maximum(cell[:-1, None], pixel[:-1])
    return np.maximum(upper - lower, 0) * cells


def drawn_letter(letter: str, pixels: int = 512) -> np.ndarray:
    """Picture of a letter that fills most of it."""
    figure = Figure((1, 1), dpi=pixels)
    canvas = FigureCanvasAgg(figure)
    figure.text(
        0.5, 0.518, letter, ha="center", va="center_baseline", fontsize=72 * 0.95, family="DejaVu Sans"
    )
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3] / 255


def bar_like(density: np.ndarray) -> np.ndarray:
    """The values of a density `(x, y)`, rearranged to a bar low in the box, densest inside.

    Air that keeps its volume can turn one into the other: no smoke is missing, none is left.
    """
    x, y = np.meshgrid(*[(np.arange(n) + 0.5) / n for n in density.shape], indexing="ij")
    distance = np.maximum(abs(x - 0.5) * 0.35, abs(y - 0.2))
    bar = np.empty(density.size)
    bar[np.argsort(distance, axis=None, kind="stable")] = np.sort(density, axis=None)[::-1]
    return bar.reshape(density.shape)
