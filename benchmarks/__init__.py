"""Benchmarks: what the project costs next to what a person would write by hand. Run with ``make bench-<name>``."""
