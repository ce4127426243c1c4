"""Linear functions as data, and the systems that they make: operators, methods, derivatives."""
