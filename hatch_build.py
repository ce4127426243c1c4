"""Build hook of the six packages: a source distribution holds the licence text, not the link to it.

In the repository, each package's `LICENSE` links to the one at the top. Wheels follow the link, archives of
sources would keep it.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LicenseText(BuildHookInterface):
    """Puts the file that `LICENSE` links to in its place."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Change which files are included whatever else is configured: target by source."""
        link = Path(self.root, "LICENSE")
        target = build_data["force_include"].pop(str(link))
        build_data["force_include"][str(link.resolve())] = target
