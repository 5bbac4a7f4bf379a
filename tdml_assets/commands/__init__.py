"""The commands of ``tdml-assets``, one module each: options, one call into the logic, output.

Belongs here: what a command accepts, how its answer is printed, and logic that only commands need. Does not: the logic of stages
(``stages/``), the application that registers the commands (``app.py``).
"""
