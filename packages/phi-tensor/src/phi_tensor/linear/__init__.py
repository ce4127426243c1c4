"""Linear functions as data: traced to index maps and coefficients, applied, transposed, as matrices."""
