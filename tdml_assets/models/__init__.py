"""Stored models: bundles, the store that keeps them, and the champion.

Belongs here: what a version consists of and how it is verified. Does not: learning and scoring (``engines/``), promotion
(``stages/evaluation/``).
"""
