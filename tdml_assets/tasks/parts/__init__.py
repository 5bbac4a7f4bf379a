"""What single tasks are made of: their rules, their figures, the names of segments.

Elsewhere: the tasks (``tasks/``, one module each).
"""
