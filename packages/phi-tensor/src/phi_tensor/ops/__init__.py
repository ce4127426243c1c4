"""The operations: one table of rows, planning rules by kind, and thin public functions over them."""
