"""Hivemall's functions without Hive: learners, feature functions, ensembles, measures and prediction, by their Hivemall names.

``run(function, rows, options)`` is the one entry. The rules come from a written description of what Apache Hivemall computes;
tests hold them to outputs of the real functions. numba, where it is installed, compiles the kernels; nothing here imports it before
the first training.
"""

from tdml_assets.engines.hivemall.entry import run
from tdml_assets.engines.hivemall.errors import HivemallError

__all__ = ["HivemallError", "run"]
