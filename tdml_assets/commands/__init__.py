"""The commands of ``tdml-assets``, one module each: options, one call into the logic, output.

Belongs here: what a command accepts and how its answer is printed. Does not: the logic (``core/``), the application that
registers the commands (``cli.py``).
"""
