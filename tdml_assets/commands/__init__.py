"""The commands of ``tdml-assets``, one module each: options, one call into the logic, output.

Elsewhere: the logic of stages (``stages/``), the application that registers the commands (``app.py``).
"""
