"""Erasures in processes that kill themselves at a step.

Started once by ``test_forgotten.py`` and forked per step, so that libraries load once.
"""

from __future__ import annotations

import os
import signal
import sys

from tdml_assets.commands.forgetting import forget_everywhere
from tdml_assets.platform.resources import build_warehouse
from tdml_assets.settings import load_settings


def forget(customer: str, step: str) -> None:
    """Forget a customer, and die at the step."""

    def die(done: str) -> None:
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    settings = load_settings()
    forget_everywhere(settings, build_warehouse(settings), customer, failpoint=die)


def main(customer: str, steps: list[str]) -> None:
    """Fork per step; end with an error unless every child was killed."""
    for step in steps:
        child = os.fork()
        if child == 0:
            forget(customer, step)
            os._exit(0)
        if os.waitpid(child, 0)[1] != signal.SIGKILL:
            sys.exit(f"the erasure was not killed at {step}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
