"""<workflow>/prepared: fitted on the training split, applied by one statement."""
