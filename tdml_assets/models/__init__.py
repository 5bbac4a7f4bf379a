"""Stored models: bundles, the store that keeps them, and the champion.

Elsewhere: learning and scoring (``engines/``), promotion (``stages/evaluation/``).
"""
