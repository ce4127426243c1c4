"""Linear systems: operators, methods that solve them, and their derivatives."""
