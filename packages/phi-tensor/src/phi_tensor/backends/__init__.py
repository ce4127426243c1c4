"""Native array libraries behind one interface."""
