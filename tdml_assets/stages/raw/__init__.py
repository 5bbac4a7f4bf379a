"""raw/*: the declared files as tables, and what was kept out of them."""
