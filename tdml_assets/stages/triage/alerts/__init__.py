"""Alerts about episodes and failed sessions: their words, and one module per channel."""
