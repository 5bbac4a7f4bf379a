"""Which functions of Apache Hivemall there are here, and why the others are not: the table of docs/hivemall.md.

The test of that page compares them.
"""

from __future__ import annotations

from collections.abc import Mapping

from tdml_assets.engines.hivemall.catalogue import functions

_TREES = "trees are the python engine's; its XGBoost is a current one"
_CLUSTER = "belongs to a Hadoop task; there is one process here"
_SQL = "DuckDB has it"
_TEXT = "needs a dictionary of that language"
_TOPICS = "topic models are not part of the four tasks"
_TILES = "map tiles are not part of the four tasks"
#: Functions of Hivemall that are not here, by reason.
NOT_OFFERED: dict[str, tuple[str, ...]] = {
    _TREES: (
        *("train_randomforest_classifier", "train_randomforest_regressor", "train_gradient_tree_boosting_classifier"),
        *("train_xgboost", "xgboost_predict", "xgboost_predict_one", "xgboost_predict_triple", "xgboost_batch_predict"),
        *("xgboost_version", "tree_predict", "tree_export", "rf_ensemble", "decision_path", "guess_attribute_types"),
    ),
    _CLUSTER: ("distcache_gets", "jobconf_gets", "jobid", "taskid", "rowid", "rownum"),
    _SQL: (
        *("try_cast", "x_rank", "from_json", "to_json", "conditional_emit", "reservoir_sample"),
        *("approx_count_distinct", "assert", "raise_error", "sessionize", "transpose_and_dot", "map_roulette"),
    ),
    _TEXT: (
        "tokenize_ja",
        "tokenize_ja_neologd",
        "tokenize_cn",
        "tokenize_ko",
        "stoptags_exclude",
        "is_stopword",
        "singularize",
    ),
    _TOPICS: ("train_lda", "lda_predict", "train_plsa", "plsa_predict"),
    _TILES: ("haversine_distance", "lat2tiley", "lon2tilex", "tile", "tilex2lon", "tiley2lat", "map_url"),
    "bloom filters have no use in one database": (
        *("bloom", "bloom_and", "bloom_or", "bloom_not", "bloom_contains", "bloom_contains_any"),
    ),
    "no outputs of the original were at hand to hold it to": (
        *("train_kpa", "kpa_predict", "dimsum_mapper", "conv2dense"),
    ),
}
#: Where a function gives other results than Hivemall on the same rows.
DIFFERENCES = {
    "sst": "`-score ika` is refused: it starts from a random vector",
    "train_fm": "without `-seed` the seed is 31, not the clock",
    "train_ffm": "without `-seed` the seed is 31, not the clock; `model_id` is left out",
    "feature_binning": "each row's own edges count; Hivemall keeps those of the first row",
    "select_k_best": "each row's own importances count; Hivemall keeps those of the first row",
    "rand_amplify": "without `-seed` the seed is 43, not the clock",
    "train_mf_sgd": "`-iters` above 1 works everywhere",
}


def table(tests: Mapping[str, str]) -> str:
    """The Markdown table: each function of Hivemall, ours, and the test that holds it (``tests`` by function)."""
    lines = ["| Hivemall | here | held by | differs |", "|---|---|---|---|"]
    known = functions()
    reasons = {name: reason for reason, names in NOT_OFFERED.items() for name in names}
    for name in sorted({*known, *reasons}):
        if name in known:
            lines.append(f'| `{name}` | `run("{name}", …)` | {tests[name]} | {DIFFERENCES.get(name, "")} |')
        else:
            lines.append(f"| `{name}` | not offered: {reasons[name]} | | |")
    return "\n".join(lines)
