"""Where the user's code is: errors of transformations name the line that they cannot handle."""

from __future__ import annotations

import sys

PACKAGES = frozenset(("phi_tensor", "phi_geom", "phi_field", "phi_physics", "phi_learn", "phi_vis"))


def user_line() -> str:
    """`file:line` of the innermost code outside of our packages that is being executed."""
    frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]  # the only way to the callers' lines
    while True:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] not in PACKAGES or frame.f_back is None:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
