"""Which formulation computes: the readable reference, or the fast drop-in of the same signature.

The reference is the code to read. :func:`accelerated_by` names the kernel that takes its place, and
``compute.kernels`` (``reference`` or ``fast``) says which of the two runs. Every pair is in :data:`PAIRS`, and one test
holds all of them to the same values and gradients.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, get_args

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

Kernels = Literal["fast", "reference"]
KERNELS: tuple[Kernels, ...] = get_args(Kernels)


class Pair(NamedTuple):
    """Two formulations of the same mathematics, with the same signature."""

    reference: Callable[..., Any]
    fast: Callable[..., Any]


PAIRS: dict[str, Pair] = {}
"""Every reference that has a kernel, by the module and name of the reference."""

_chosen = "fast"


def use_kernels(name: str) -> None:
    """Choose ``fast`` or ``reference`` for the whole process. Raises ValueError on any other name."""
    global _chosen
    if name not in KERNELS:
        raise ValueError(f"kernels are {' or '.join(KERNELS)}, not {name!r}")
    _chosen = name


@contextmanager
def kernels(name: str) -> Iterator[None]:
    """Choose ``fast`` or ``reference`` inside the block."""
    before = _chosen
    use_kernels(name)
    try:
        yield
    finally:
        use_kernels(before)


def accelerated_by(
    fast: Callable[Arguments, Result],
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Let the kernel ``fast`` take the place of the decorated reference where ``compute.kernels`` is ``fast``."""

    def decorate(reference: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        PAIRS[f"{reference.__module__}.{reference.__qualname__}"] = Pair(reference, fast)

        @functools.wraps(reference)
        def chosen(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            return (fast if _chosen == "fast" else reference)(*args, **kwargs)

        return chosen

    return decorate
