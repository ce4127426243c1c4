"""Animations: a figure whose frames are drawn one after the other when they are needed."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from matplotlib.figure import Figure

from phi_vis import _files
from phi_vis._marks import Array
from phi_vis._matplotlib import Drawing


class Animation:
    """Frames of a figure. Holds the data and one figure, never all pictures.

    Notebooks play it; `save` writes it. Made by `plot(…, animate=dim)` or `animate`.

    Attributes:
        frame_time: How long each frame is shown [ms].
        repeat: Whether it starts again at the end.
    """

    def __init__(self, drawing: Drawing, frame_time: float, repeat: bool) -> None:
        self._drawing = drawing
        self.frame_time = frame_time
        self.repeat = repeat

    def __len__(self) -> int:
        return self._drawing.scene.frame_count

    @property
    def figure(self) -> Figure:
        """The Matplotlib figure, with the frame that was drawn last."""
        return self._drawing.figure

    def frame(self, index: int) -> Figure:
        """The Matplotlib figure with one frame; negative indices count from the end."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no frame {index}; the animation has {len(self)}.")
        self._drawing.show_frame(index % len(self))
        return self.figure

    def current_pixels(self, dpi: float) -> Array:
        """The frame drawn last as `(height, width, rgba)` bytes; overwritten by the next call."""
        return self._drawing.pixels(dpi)

    def save(self, path: str | Path, dpi: float = 100, fps: float | None = None) -> Path:
        """Writes a GIF or MP4, see `phi_vis.save`."""
        return _files.save_animation(Path(path), self, dpi, fps)

    def _repr_html_(self) -> str:
        stream = io.BytesIO()
        _files.write_gif(stream, self, 80, None)
        return f'<img src="data:image/gif;base64,{base64.b64encode(stream.getvalue()).decode()}">'

    def __repr__(self) -> str:
        dim = self._drawing.scene.frames.name
        return f"Animation({len(self)} frames along `{dim}`, {self.frame_time:g} ms each)"
