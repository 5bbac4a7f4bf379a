"""When the passes over the rows stop.

Belongs here: Hivemall's convergence check. Does not: the losses.
"""


class Convergence:
    """Stops when the loss fell by less than ``rate`` (a share of the pass before) in two passes running."""

    def __init__(self, rate: float, *, check: bool = True) -> None:
        self._rate, self._check = rate, check
        self._previous: float | None = None
        self._ready = False

    def reached(self, loss: float) -> bool:
        """Take the loss of a pass; True when training is over. A loss of 0 in the pass before never ends it."""
        before, self._previous = self._previous, loss
        if before is None or not self._check:
            return False
        small = loss <= before and before != 0 and (before - loss) / before < self._rate
        done = small and self._ready
        self._ready = small
        return done
