"""<workflow>/candidate_model: train, and store what was trained."""
