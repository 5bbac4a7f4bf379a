"""A storm of SIGKILLs over whole sessions and replay; part of ``make study-robustness``.

Belongs here: when is killed, and what must be true behind it. Does not: the state folder (``robustness_state.py``).

Sessions on one state are killed at random instants, with everything they started. At the end one is left alone, and every table of
it must equal that of a state that was never disturbed. Instants are drawn from the whole length of a command. That length is taken
from every command that ends before its instant, and grows with every kill until one does: a machine grows slower and faster.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from benchmarks.robustness_state import State, differences

#: Of the length of a command, after every kill.
_GROWTH = 1.05
_REPLAY_DAYS = ("2026-04-30", "2026-05-31", "2026-06-30")


@dataclass(frozen=True)
class Storm:
    """What a storm came to.

    Parameters
    ----------
    kills : commands that were killed.
    ended : commands that ended before their instant came; those with an exit code other than 0 are ``failed``.
    different : tables that differ from the undisturbed state's at the end.
    doubled : rows that exist twice.
    last_code : exit code of the command that was left alone.
    """

    what: str
    kills: int
    ended: int
    failed: int
    different: tuple[str, ...]
    doubled: int
    last_code: int
    litter: int
    seconds: float


@dataclass(frozen=True)
class Strength:
    """How many are killed, at instants drawn with which seed, and the seconds after which no more are."""

    kills: int
    seed: int
    most_seconds: float


def session_storm(folder: Path, kills: int, seed: int, most_seconds: float = math.inf) -> Storm:
    """Kill sessions on the state that two finished sessions left: each one then finds the same to compare with."""
    base = State(folder / "base").make()
    if not (base.home / "warehouse.duckdb").exists():
        for _ in range(2):
            _must_run(base, ["run"])
    undisturbed = base.copied_to(folder / "undisturbed")
    seconds = _must_run(undisturbed, ["run"])
    disturbed = base.copied_to(folder / "disturbed")
    return _storm("sessions", disturbed, (undisturbed,), Strength(kills, seed, most_seconds), seconds)


def replay_storm(folder: Path, kills: int, seed: int, most_seconds: float = math.inf) -> Storm:
    """Kill replays over three month ends; each goes on with the day at which the one before was killed."""
    empty = State(folder / "replay-empty").make()
    _must_run(empty, ["prepare"])
    undisturbed = empty.copied_to(folder / "replay-undisturbed")
    seconds = _must_run(undisturbed, _replay_words(undisturbed))
    # Its last day twice: what a replay leaves that was killed after the last session, which it then finds to compare with.
    again = undisturbed.copied_to(folder / "replay-again")
    _must_run(again, _replay_words(again))
    disturbed = empty.copied_to(folder / "replay-disturbed")
    return _storm("replay", disturbed, (undisturbed, again), Strength(kills, seed, most_seconds), seconds)


def _storm(what: str, disturbed: State, undisturbed: Sequence[State], strength: Strength, seconds: float) -> Storm:
    rng, started = random.Random(strength.seed), time.monotonic()
    killed = ended = failed = 0
    while killed < strength.kills and time.monotonic() - started < strength.most_seconds:
        words = ["run"] if what == "sessions" else _replay_words(disturbed)
        began = time.monotonic()
        code = disturbed.killed(words, rng.uniform(0.02, 1.0) * seconds)
        seconds = seconds * _GROWTH if code is None else time.monotonic() - began
        killed, ended, failed = killed + (code is None), ended + (code is not None), failed + (code not in (None, 0))
        sys.stderr.write(
            f"{what}: {killed} of {strength.kills} killed, {ended} ended before ({failed} of them not with 0)\n"
        )
        if what == "replay" and code is not None:
            shutil.rmtree(disturbed.home)
            _must_run(disturbed, ["prepare"])
    code, printed, _ = disturbed.run(*(["run"] if what == "sessions" else _replay_words(disturbed)))
    if code:
        sys.stderr.write(printed[-4000:])
    different = tuple(differences(disturbed.tables(), *(state.tables() for state in undisturbed)))
    return Storm(
        what,
        killed,
        ended,
        failed,
        different,
        disturbed.doubled_rows(),
        code,
        len(disturbed.litter()),
        time.monotonic() - started,
    )


def _replay_words(state: State) -> list[str]:
    """From the day of the latest session on."""
    day = _REPLAY_DAYS[0]
    if (state.home / "warehouse.duckdb").exists():
        with duckdb.connect(str(state.home / "warehouse.duckdb"), read_only=True) as connection:
            known = connection.execute(
                "select 1 from information_schema.tables where table_schema = 'monitoring' and table_name = 'sessions'"
            ).fetchone()
            if known:
                found = connection.execute("select cast(max(as_of) as varchar) from monitoring.sessions").fetchone()
                day = found[0] if found is not None and found[0] is not None else day
    return ["replay", "--from", day, "--to", _REPLAY_DAYS[-1], "--every", "month", "--workflow", "cltv"]


def _must_run(state: State, words: list[str]) -> float:
    code, printed, seconds = state.run(*words)
    if code not in (0, 3):
        raise RuntimeError(f"{' '.join(words)} ended with {code} undisturbed:\n{printed[-4000:]}")
    return seconds
