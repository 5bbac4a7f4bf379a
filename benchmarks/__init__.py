"""Benchmarks: what the project costs beside what a person would write by hand. Run with ``make bench-<name>``."""
