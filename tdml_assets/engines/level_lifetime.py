"""What a lifetime model expects of whole snapshots: the base that gaps of a level are compared with.

Belongs here: fitting it to the histories of one day, its totals of other days. Does not: the lifetime model (``lifetime.py``),
gaps (``level.py``), reading histories.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import pyarrow as pa

from tdml_assets.engines.level import Floats, kept_digits
from tdml_assets.engines.lifetime import LifetimeParameters, fit_lifetime
from tdml_assets.engines.lifetime_outlook import HISTORY, Outlook
from tdml_assets.engines.protocol import table_source

#: Histories that are fitted at most, evenly spaced: more move no parameter by anything that counts.
_FITTED_ROWS = 50_000
_ESTIMATOR = "pareto_nbd_gamma_gamma"


def lifetime_totals(
    histories: Mapping[date, pa.Table], day: date, *, target_kind: str, horizon_days: int
) -> dict[date, float]:
    """What Pareto/NBD with Gamma-Gamma, fitted to the histories of ``day``, expects in all of the customers of every day.

    Parameters
    ----------
    histories : per day the columns of :data:`~tdml_assets.engines.lifetime_outlook.HISTORY`, one row a customer.
    target_kind : as in ``target.kind`` of the workflow.

    Returns
    -------
    Nothing where the target is none of purchases, or the model cannot be fitted.
    """
    if target_kind not in ("net_spend", "purchase", "no_purchase") or not histories[day].num_rows:
        return {}
    names = list(HISTORY)
    rows = histories[day].select(names)
    step = -(-rows.num_rows // _FITTED_ROWS)
    fitted = rows.take(pa.array(np.arange(0, rows.num_rows, step))).cast(
        pa.schema([(name, pa.float32()) for name in names])
    )
    source = table_source(fitted.append_column("target", pa.repeat(0.0, fitted.num_rows)), "target")
    parameters = LifetimeParameters()
    try:
        lifetime, _ = fit_lifetime(
            source, "pareto_nbd", parameters, horizon_days=horizon_days, estimator=_ESTIMATOR, where="customers"
        )
    except ValueError:
        return {}
    return {one: _total(lifetime.outlook(_matrix(table, names)), target_kind) for one, table in histories.items()}


def _matrix(table: pa.Table, names: list[str]) -> Floats:
    columns = [table[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in names]
    # As features reach a learner: 32 bits.
    return np.column_stack(columns).astype(np.float32).astype(np.float64)


def _total(seen: Outlook, target_kind: str) -> float:
    if target_kind == "net_spend":
        return kept_digits(float(seen.spend.sum()))
    active = np.clip(seen.active, 0.0, 1.0)
    return kept_digits(float((active if target_kind == "purchase" else 1.0 - active).sum()))
