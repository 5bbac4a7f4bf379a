"""Recommendation: which products every customer is shown, and how good such lists are.

Elsewhere: fitting scorers of items (``engines/recommender.py``), reading and writing tables (``stages/*/recommendation.py``).
"""
