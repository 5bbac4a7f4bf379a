"""<workflow>/realised: earlier predictions against what happened."""
