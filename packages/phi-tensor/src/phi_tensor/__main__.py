"""`python -m phi_tensor` prints which backends work; exit code 1 if an installed one is broken."""

from __future__ import annotations

import sys

from phi_tensor._verify import verify

if __name__ == "__main__":
    sys.exit(0 if verify() else 1)
