"""SIGINT and SIGTERM: finish the update, save, and exit."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Whether somebody asked the training to stop."""

    signal: int = 0
    """the number of the signal, 0 for none"""

    def _remember(self, number: int, _: FrameType | None) -> None:
        self.signal = number

    def exit(self) -> None:
        """Leave as a process that was ended by the signal: 130 for SIGINT, 143 for SIGTERM.

        A process that heard of the signal from another one leaves as after SIGTERM.
        """
        sys.exit(128 + (self.signal or signal.SIGTERM))


@contextmanager
def interruptible() -> Iterator[Interruption]:
    """Note SIGINT and SIGTERM inside the block instead of being ended by them."""
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    before = {number: signal.signal(number, interruption._remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
