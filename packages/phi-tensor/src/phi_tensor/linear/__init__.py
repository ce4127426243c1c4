"""Linear functions and systems: traced to matrices, applied, transposed, solved, differentiated."""
