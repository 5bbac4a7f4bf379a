"""Decisions as pure functions: never imports Dagster, opens no connection, reads no clock."""
