"""Makes the examples importable for their tests, as they are for each other when one is run."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
