"""<workflow>/exploration: the analyses that come before modelling."""
