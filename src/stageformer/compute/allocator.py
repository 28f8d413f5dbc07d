"""Keep freed memory instead of giving it back to the system at every step."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST = 2**31 - 1


def keep_freed_memory() -> None:
    """Tell glibc's malloc to reuse large blocks.

    By default each large tensor is mapped anew and unmapped when freed, and the kernel clears its pages every time: a
    fifth of the training time of a small model on the CPU. On other systems this does nothing. The arithmetic is the
    same.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # absent from musl
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        mallopt(_M_TRIM_THRESHOLD, _LARGEST)
        # A thread's own arena holds no large blocks and gives its memory back whenever it is empty.
        mallopt(_M_ARENA_MAX, 1)
