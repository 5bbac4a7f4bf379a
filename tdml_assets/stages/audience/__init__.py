"""audience/*: every attribute of every workflow in one row per customer, and its destinations."""
