"""What every stage uses: contracts, statements, statistics, figures, and the warehouse, sessions and resources around them.

Elsewhere: the logic of a stage (``stages/``), stored models (``models/``).
"""
