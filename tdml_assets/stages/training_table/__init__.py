"""<workflow>/training_table: features joined with the target observed after them, and the split."""
