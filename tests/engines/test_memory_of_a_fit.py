"""What a fit takes of memory grows with its rows and features as the arithmetic says that refuses too large ones."""

import subprocess
import sys

import pytest

from tdml_assets.engines.protocol import ModelSpec
from tdml_assets.engines.python import PythonEngine

FEATURES = 24
FEW, MANY = 20_000, 180_000
# Rows are made when they are read, so that only what the fit keeps of them is measured.
_FIT = """
import resource, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from tdml_assets.engines.lifetime_outlook import HISTORY
from tdml_assets.engines.protocol import BatchSource, ModelSpec, Tier
from tdml_assets.engines.python import PythonEngine

estimator, task, rows, features = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
names = (*HISTORY, *(f"f{place}" for place in range(features - len(HISTORY))))

def source(rows, seed):
    def read():
        for first in range(0, rows, 10_000):
            random = np.random.default_rng([seed, first])
            values = random.standard_normal((min(10_000, rows - first), features)).astype(np.float32)
            age = random.integers(30, 400, len(values))
            repeats = random.poisson(1.5, len(values))
            values[:, :4] = np.stack([repeats, np.where(repeats > 0, age // 2, 0), age, np.full(len(values), 20.0)], axis=1)
            values[:, 4:][random.random((len(values), features - 4)) < 0.03] = np.nan
            bought = random.random(len(values)) < 1 / (1 + np.exp(-values[:, 4]))
            target = bought * (1.0 if task == "classification" else random.gamma(2.0, 20.0, len(values)))
            yield pa.RecordBatch.from_arrays([*(pa.array(column) for column in values.T), pa.array(target)], [*names, "target"])
    return BatchSource(names, "target", rows, read)

kind = "purchase" if task == "classification" else "net_spend"
spec = ModelSpec(estimator, {"rounds": 5, "patience": 2}, 1, task=task, target_kind=kind)
PythonEngine().fit(source(rows, 1), source(rows // 3, 2), spec, Tier("machine", 2, 20.0, 20.0))
if sys.platform == "darwin":
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
else:
    # Linux counts the memory of the process that started this one into ru_maxrss.
    status = Path("/proc/self/status").read_text()
    print(1024 * int(status.split("VmHWM:")[1].split()[0]))
"""


def peak_of(estimator, task, rows):
    command = [sys.executable, "-c", _FIT, estimator, task, str(rows), str(FEATURES)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)


# Bytes per row and feature of training and held rows together; measured 6.8, 6.8 and 7.5.
@pytest.mark.parametrize(
    ("estimator", "task", "most"),
    [
        ("lifetime_xgboost", "regression", 8.5),
        ("two_stage_xgboost", "regression", 8.5),
        ("xgboost_classifier", "classification", 8.6),
    ],
)
def test_memory_of_a_fit_grows_no_faster_than_what_is_planned_for_it(estimator, task, most):
    cells = (MANY - FEW) * 4 // 3 * FEATURES
    taken = (peak_of(estimator, task, MANY) - peak_of(estimator, task, FEW)) / cells
    learner = PythonEngine().learner(ModelSpec(estimator, task=task))
    planned = [learner.bytes_needed(rows * 4 // 3, FEATURES) for rows in (FEW, MANY)]
    assert 2 < taken < most < (planned[1] - planned[0]) / cells, f"{taken:.2f} bytes per cell"
