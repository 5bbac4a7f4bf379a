"""Training in a process of its own, which may use what the tier allows and no more.

Elsewhere: training (``fit.py``), the arithmetic that refuses beforehand what will not fit (``engines/``).

Arithmetic can be wrong, and a learner that takes more than the machine has would end the whole session. So a large training runs
in a child whose memory the kernel limits (RLIMIT_DATA: private memory of the process, with its libraries some .2 GB from the
start; not enforced on macOS) and whose threads run on as many cores as the tier has. Rows reach it, and its result comes back,
through files without a name: whatever ends either process, nothing is left on the disk. The child ends when its parent does.

A child takes a second or two to start, so that a small training stays in the process. So does that of an engine that streams: it
holds some batches at a time. Rows that lie in a file already (``split.max_rows: all``) are mapped by the child and not written
again. Pages of XGBoost have a file with a name; its folder is removed by this process.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from tdml_assets.declaration.workflow import Search
from tdml_assets.engines.protocol import Engine, ModelSpec, Tier
from tdml_assets.platform.pages import page_folder
from tdml_assets.platform.spool import Tables, mapped_table
from tdml_assets.stages.training.fit import Candidate, Choosing, train_candidate

if TYPE_CHECKING:
    from tdml_assets.engines.level import Kind
    from tdml_assets.engines.level_lifetime import LifetimeBase

_BREACHED = 3
_REMEDY = "use a larger tier, a smaller split.max_rows, fewer snapshots or fewer features"
# What C++ libraries say where memory ends.
_OUT_OF_MEMORY = ("bad_alloc", "bad allocation", "Cannot allocate memory", "Thread creation failed")
_HISTORIES = "histories"


class TierBreachError(MemoryError):
    """A training took more memory than its tier has."""


class TrainingEndedError(RuntimeError):
    """The process of a training ended before it had a model."""


@dataclass(frozen=True)
class Training:
    """What :func:`~tdml_assets.stages.training.fit.train_candidate` is given besides rows."""

    engine: Engine
    model: ModelSpec
    tier: Tier
    search: Search = field(default_factory=Search)
    kind: Kind | None = None
    base: LifetimeBase | None = None
    choosing: Choosing | None = None

    def run(self, splits: Mapping[str, pa.Table], histories: pa.Table | None) -> Candidate:
        """Train in this process."""
        return train_candidate(
            self.engine,
            splits,
            self.model,
            self.tier,
            self.search,
            self.kind,
            self.base,
            histories,
            self.choosing,
        )


def train_within_tier(
    training: Training,
    splits: Mapping[str, pa.Table],
    histories: pa.Table | None,
    folder: str | Path,
    own_process_bytes: int,
) -> Candidate:
    """Train, in a process of its own where there is much to learn from.

    Raises ``TierBreachError`` if the process needed more memory than the tier has. Raises ``TrainingEndedError`` if something
    ended it. ``splits``, ``histories``: as ``train_candidate`` takes them. ``folder``: of the files that hold rows and result;
    on a disk. ``own_process_bytes``: rows that take at most as much stay in this process.
    """
    with ExitStack() as ended:
        if training.model.spill_folder:
            pages = str(ended.enter_context(page_folder(training.model.spill_folder)))
            training = replace(training, model=replace(training.model, spill_folder=pages))
        if training.engine.streams or sum(table.nbytes for table in splits.values()) <= own_process_bytes:
            return training.run(splits, histories)
        return _train_in_child(training, splits, histories, folder)


def _train_in_child(
    training: Training, splits: Mapping[str, pa.Table], histories: pa.Table | None, folder: str | Path
) -> Candidate:
    tables = {**splits, **({} if histories is None else {_HISTORIES: histories})}
    kept = {name: one.descriptor for name, one in splits.spooled.items()} if isinstance(splits, Tables) else {}
    Path(folder).mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:

        def unnamed() -> IO[bytes]:
            return files.enter_context(tempfile.TemporaryFile(dir=folder))

        written = {name: _written(table, unnamed()).fileno() for name, table in tables.items() if name not in kept}
        asked, result, errors = unnamed(), unnamed(), unnamed()
        pickle.dump(training, asked)
        asked.flush()
        code = _run({**kept, **written}, asked, result, errors, training.tier)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
        if code == 0:
            return _result_of(result)
    learnt = sum(table.num_rows for table in splits.values())
    raise _ending(code, said, learnt, training.tier)


def _written(table: pa.Table, file: IO[bytes]) -> IO[bytes]:
    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=65_536)
    file.flush()
    return file


def _run(rows: Mapping[str, int], asked: IO[bytes], result: IO[bytes], errors: IO[bytes], tier: Tier) -> int:
    """Start the child, wait for its end; its exit code, negative for a signal."""
    arguments = json.dumps({"rows": rows, "asked": asked.fileno(), "result": result.fileno(), "tier": asdict(tier)})
    threads = {name: str(tier.cpus) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-c", f"from {__name__} import main; main()", arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        pass_fds=[*rows.values(), asked.fileno(), result.fileno()],
        env=environment,
    )
    try:
        # Its input stays open as long as this process lives, and tells it by its end that it is gone.
        return child.wait()
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _result_of(file: IO[bytes]) -> Candidate:
    file.seek(0)
    found = pickle.load(file)  # noqa: S301 - from our own child, through a file that nobody else can open
    if isinstance(found, BaseException):
        raise found
    return found  # type: ignore[no-any-return]


def _ending(code: int, said: str, rows: int, tier: Tier) -> Exception:
    what = f"training on {rows:,} rows"
    if code == _BREACHED or any(words in said for words in _OUT_OF_MEMORY):
        return TierBreachError(
            f"{what} took more than the {tier.memory_gb:g} GB memory of {tier.name} and was ended: {_REMEDY}"
        )
    if code == -signal.SIGKILL:
        return TrainingEndedError(
            f"{what} was ended by SIGKILL, as a system does that runs out of memory: run the session again, or {_REMEDY}"
        )
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    return TrainingEndedError(
        f"{what} ended {how} before it had a model: run the session again; the champion scores on"
    )


def _limit(tier: Mapping[str, Any]) -> None:
    """Keep this process within a tier."""
    import resource

    most = int(float(tier["memory_gb"]) * 1e9)
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: int(tier["cpus"])])


def _end_with_parent() -> None:
    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _answer(asked: int, rows: Mapping[str, int]) -> Candidate | Exception:
    with open(asked, "rb", closefd=False) as file:
        file.seek(0)
        training: Training = pickle.load(file)  # noqa: S301 - from our own parent, through a file that nobody else can open
    tables = {name: mapped_table(descriptor) for name, descriptor in rows.items()}
    histories = tables.pop(_HISTORIES, None)
    try:
        return training.run(tables, histories)
    except MemoryError:
        raise
    except Exception as error:
        if any(words in str(error) for words in _OUT_OF_MEMORY):
            raise MemoryError(str(error)) from error
        # The traceback of another process is lost with it.
        error.add_note(traceback.format_exc())
        return error


def _packed(answer: Candidate | Exception) -> bytes:
    buffer = io.BytesIO()
    try:
        pickle.dump(answer, buffer)
        if isinstance(answer, Exception):
            pickle.loads(buffer.getvalue())  # noqa: S301 - written a line above
    except (pickle.PicklingError, TypeError, AttributeError):
        if not isinstance(answer, Exception):
            raise
        return pickle.dumps(TrainingEndedError(f"{type(answer).__name__}: {answer}"))
    return buffer.getvalue()


def main() -> None:
    """Train as the first argument asks and write the result; the exit code says whether memory ended."""
    given = json.loads(sys.argv[1])
    _end_with_parent()
    _limit(given["tier"])
    code = 0
    try:
        answer = _packed(_answer(given["asked"], given["rows"]))
        with open(given["result"], "wb", closefd=False) as file:
            file.write(answer)
    except MemoryError:
        code = _BREACHED
    sys.stderr.flush()
    # Not by sys.exit, which would wait for the thread that reads the input.
    os._exit(code)
