"""Recommendation: which products every customer is shown, and how good such lists are.

Belongs here: eligibility, windows, baskets, ranking, metrics, the choice of a model, its stored form. Does not: fitting
scorers of items (``engines/recommender.py``), reading and writing tables
(``stages/*/recommendation.py``).
"""
