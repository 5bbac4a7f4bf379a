"""Deformed model bundles, loaded and scored in processes that may die of it; part of ``make study-robustness``.

Belongs here: the processes and the verdicts. Does not: the bundles (``robustness_bundles.py``), the page (``robustness.py``).

    python -m benchmarks.robustness_models FOLDER SEED FIRST LAST

is one such process: it prints one line per variant and says before each which it begins.
"""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import robustness_bundles as bundles

#: Longest time one variant may take.
_SECONDS = 60
_TOLERANCE = 1e-9
_MOST_NOT_STARTED = 2
Scores = np.ndarray[Any, np.dtype[np.float64]]
#: Said of a variant that is another model in itself, and that the warehouse knows not to be the one that was trained.
WITH_RECORD = "refused with the record of the warehouse"


@dataclass(frozen=True)
class Verdict:
    """What became of one variant.

    Parameters
    ----------
    what : the estimator, the file and what was done to it.
    verdict : ``refused``; ``right``: it scores as the original does; ``changed``: another model in itself; ``failed``: an error
        of another kind; ``died``: its process ended.
    detail : the error.
    """

    what: str
    verdict: str
    detail: str = ""


def study(
    folder: Path, variants: int, seed: int, estimators: Sequence[str] = tuple(bundles.ESTIMATORS)
) -> list[Verdict]:
    """Deform ``variants`` bundles, the estimators in turn."""
    originals = [bundles.make(estimator) for estimator in estimators]
    (folder / "originals").write_bytes(pickle.dumps(originals))
    found: list[Verdict] = []
    not_started = 0
    while len(found) < variants:
        command = [sys.executable, "-m", "benchmarks.robustness_models", str(folder), str(seed), str(len(found))]
        done = subprocess.run([*command, str(variants)], capture_output=True, text=True, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
        found += [Verdict(*line) for line in lines if len(line) == 3]
        if done.returncode == 0:
            break
        ended = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        if not lines and done.returncode < 0 and not_started < _MOST_NOT_STARTED:
            # No variant was read yet, so none is to blame.
            not_started += 1
            sys.stderr.write(
                f"a process ended before its first variant ({ended}), started again: {done.stderr[-2000:]}\n"
            )
            continue
        if not lines or done.returncode > 0:
            raise RuntimeError(f"the study itself failed ({ended}): {done.stderr[-2000:]}")
        found.append(Verdict(str(lines[-1][0]), "died", ended))
    return found


def counts(verdicts: list[Verdict]) -> dict[str, int]:
    """Variants per verdict."""
    counted = Counter(verdict.verdict for verdict in verdicts)
    return {name: counted.get(name, 0) for name in ("refused", "right", "changed", "failed", "died")}


def variant(
    originals: list[bundles.Original], seed: int, number: int
) -> tuple[bundles.Original, str, bundles.Files, bytes | None]:
    """The variant of that number, the same every time."""
    rng = np.random.default_rng([seed, number])
    original = originals[number % len(originals)]
    return original, *bundles.deform(original, rng)


def judge(
    folder: Path, original: bundles.Original, right: Scores, files: bundles.Files, manifest: bytes | None
) -> tuple[str, str]:
    """Store a variant below ``folder``, load and score it. Returns the verdict and the error.

    Parameters
    ----------
    right : what the version gives as it was stored.
    """
    root = folder / "store"
    shutil.rmtree(root, ignore_errors=True)
    try:
        bundles.store(root, original, files, manifest)
        scores = bundles.load(root, original.estimator).scores
    except bundles.REFUSED as error:
        return "refused", str(error)
    except Exception as error:  # noqa: BLE001 - any other error is what is looked for
        return "failed", f"{type(error).__name__}: {error}"
    same = scores.shape == right.shape and np.allclose(scores, right, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)
    if same:
        return "right", ""
    try:
        bundles.load(root, original.estimator, {original.manifest.version: original.manifest.content_sha256})
    except bundles.REFUSED:
        return "changed", WITH_RECORD
    return "changed", "accepted although the warehouse remembers another"


def _work(folder: Path, seed: int, first: int, last: int) -> Iterator[list[str]]:
    originals = pickle.loads((folder / "originals").read_bytes())
    right: dict[str, Scores] = {}
    for number in range(first, last):
        original, what, files, manifest = variant(originals, seed, number)
        yield [what]
        signal.alarm(_SECONDS)
        if original.estimator not in right:
            right[original.estimator] = _right(folder, original)
        yield [what, *judge(folder, original, right[original.estimator], files, manifest)]
        signal.alarm(0)


def _right(folder: Path, original: bundles.Original) -> Scores:
    root = folder / "right"
    shutil.rmtree(root, ignore_errors=True)
    bundles.store(root, original, original.files)
    return bundles.load(root, original.estimator).scores


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for line in _work(Path(sys.argv[1]), *map(int, sys.argv[2:5])):
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
