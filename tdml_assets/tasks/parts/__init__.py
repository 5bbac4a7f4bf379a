"""What single tasks are made of: their rules, their figures, the names of segments.

Belongs here: what one task needs and no other. Does not: the tasks (``tasks/``, one module each).
"""
