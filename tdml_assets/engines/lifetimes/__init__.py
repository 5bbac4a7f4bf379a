"""Lifetime models: how often a customer will still buy, and for how much, from nothing but its own history.

Elsewhere: feature tables and model files (``engines/lifetime.py``).
"""

from tdml_assets.engines.lifetimes.bg_nbd import BgNbd, fit_bg_nbd
from tdml_assets.engines.lifetimes.gamma_gamma import GammaGamma, fit_gamma_gamma
from tdml_assets.engines.lifetimes.pareto_nbd import ParetoNbd, fit_pareto_nbd

__all__ = ["BgNbd", "GammaGamma", "ParetoNbd", "fit_bg_nbd", "fit_gamma_gamma", "fit_pareto_nbd"]
