"""What every stage uses: contracts, statements, statistics, figures, and the warehouse, sessions and resources around them.

Belongs here: what no single stage owns. Does not: the logic of a stage (``stages/``), stored models (``models/``).
"""
