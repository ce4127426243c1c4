"""Files: pictures and animations, written beside their target and moved when complete."""

# pyright: reportUnknownMemberType=false
# Matplotlib's stubs leave keyword arguments untyped.

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.animation import FFMpegWriter
from matplotlib.figure import Figure
from PIL import Image as Picture

from phi_tensor import Unsupported
from phi_vis._marks import Array

if TYPE_CHECKING:
    from phi_vis._animation import Animation

STILL: dict[str, dict[str, Any]] = {
    "png": {},
    "pdf": {"metadata": {"CreationDate": None}},
    "svg": {"metadata": {"Date": None}},
    "jpg": {},
}
MOVING = ("gif", "mp4")
PALETTE_FRAMES = 5
"""Frames whose colours are considered for the palette of a GIF [-]."""
EXACT_COLORS = 16
"""Colours of a GIF that are not mixed [-]."""
TOO_CLOSE = 6
"""Largest difference of colours that count as equal to an exact one, of 255 [-]."""


def save_figure(path: Path, figure: Figure, dpi: float) -> Path:
    """Writes a still picture; equal figures give equal files."""
    suffix = _suffix(path, tuple(STILL), "A figure", "Animations of it need `animate=`.")

    def write(part: Path) -> None:
        with mpl.rc_context({"svg.hashsalt": "phi_vis"}):
            figure.savefig(part, format=suffix, dpi=dpi, **STILL[suffix])

    return _complete(path, write)


def save_animation(path: Path, animation: Animation, dpi: float, fps: float | None) -> Path:
    """Writes a GIF or MP4."""
    suffix = _suffix(
        path, MOVING, "An animation", "One frame of it is a figure: `save('last.png', animation.frame(-1))`."
    )
    if suffix == "mp4" and not FFMpegWriter.isAvailable():
        raise Unsupported(
            f"Writing {path.name} needs the program `ffmpeg`, which was not found. "
            f"Install it, or write a GIF: {path.stem}.gif"
        )
    return _complete(
        path,
        lambda part: (
            write_gif(part, animation, dpi, fps) if suffix == "gif" else _write_mp4(part, animation, dpi, fps)
        ),
    )


def _suffix(path: Path, known: tuple[str, ...], what: str, advice: str) -> str:
    suffix = path.suffix.lower().lstrip(".").replace("jpeg", "jpg")
    if suffix not in known:
        raise Unsupported(
            f"{what} is written as {', '.join('.' + s for s in known)}, but found the path {str(path)!r}. "
            f"{advice}"
        )
    return suffix


def _complete(path: Path, write: Callable[[Path], None]) -> Path:
    """Nobody sees a half-written file, and a failure leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        write(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path


def write_gif(target: Path | IO[bytes], animation: Animation, dpi: float, fps: float | None) -> None:
    """GIF with one palette for all frames, so that colours do not flicker; drawn while it is written."""
    count = len(animation)
    picked = sorted({round(i * (count - 1) / (PALETTE_FRAMES - 1)) for i in range(PALETTE_FRAMES)})
    palette = _palette([_picture(animation, i, dpi) for i in picked])
    frames = (
        _picture(animation, i, dpi).quantize(palette=palette, dither=Picture.Dither.NONE)
        for i in range(count)
    )
    first = next(frames)
    duration = round(1000 / fps if fps else animation.frame_time)
    loop = {"loop": 0} if animation.repeat else {}
    first.save(
        target, format="GIF", save_all=True, append_images=frames, duration=duration, optimize=False, **loop
    )


def _picture(animation: Animation, frame: int, dpi: float) -> Picture.Image:
    animation.frame(frame)
    return Picture.fromarray(animation.current_pixels(dpi)[..., :3].copy())


def _palette(pictures: list[Picture.Image]) -> Picture.Image:
    """256 colours that fit all pictures; the most frequent ones (paper, background) exactly."""
    pixels = np.concatenate([np.asarray(p).reshape(-1, 3) for p in pictures])
    codes, counts = np.unique(pixels.astype(np.int64) @ (65536, 256, 1), return_counts=True)
    frequent = codes[np.argsort(-counts, kind="stable")[:EXACT_COLORS]]
    mixed = Picture.fromarray(pixels[None]).quantize(256 - EXACT_COLORS, method=Picture.Quantize.MEDIANCUT)
    mixed_colors = np.array(mixed.getpalette() or [], np.int64).reshape(-1, 3)
    colors: list[Array] = []
    for color in (*np.stack([frequent >> 16, frequent >> 8 & 255, frequent & 255], -1), *mixed_colors):
        # Pillow may take either of two colours this close, and so miss the exact one.
        if all(np.abs(color - exact).max() > TOO_CLOSE for exact in colors[:EXACT_COLORS]):
            colors.append(color)
    palette = Picture.new("P", (1, 1))
    palette.putpalette([int(byte) for color in colors for byte in color])
    return palette


def _write_mp4(path: Path, animation: Animation, dpi: float, fps: float | None) -> None:
    width, height = animation.figure.get_size_inches()
    animation.figure.set_size_inches(
        *(2 * round(side * dpi / 2) / dpi for side in (width, height))
    )  # H.264 wants even sizes
    animation.frame(0)
    animation.current_pixels(dpi)
    writer = FFMpegWriter(fps=max(1, round(fps or 1000 / animation.frame_time)))
    with writer.saving(animation.figure, str(path), dpi):
        for i in range(len(animation)):
            animation.frame(i)
            writer.grab_frame()
