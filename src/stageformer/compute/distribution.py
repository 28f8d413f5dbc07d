"""Several processes that train together: who this one is, and how they add up what each of them computed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from stageformer.params.compute import Compute

Item = TypeVar("Item")


@dataclass(frozen=True)
class Processes:
    """The processes of one training, of which this is number ``rank``."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes, logs and shows progress."""
        return self.rank == 0

    def add(self, tensor: Tensor) -> None:
        """Replace ``tensor`` by its sum over all processes."""
        if self.size > 1:
            dist.all_reduce(tensor)

    def add_numbers(self, *numbers: float) -> tuple[float, ...]:
        """Return the sums of numbers over all processes, in double precision."""
        if self.size == 1:
            return numbers
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def evenly(self, items: list[Item]) -> list[tuple[Item, bool]]:
        """Share items out so that each process has equally many; those that only fill up are marked with False."""
        own = [(item, True) for item in items[self.rank :: self.size]]
        missing = -(-len(items) // self.size) - len(own)
        return own + [(items[0], False)] * missing


ALONE = Processes(rank=0, size=1, device=torch.device("cpu"))
"""A training in this process alone."""


@contextmanager
def joined(compute: Compute, device: torch.device) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` or :mod:`stageformer.compute.launch` started, if this is one of several.

    They talk through gloo on the CPU and NCCL on GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    dist.init_process_group("nccl" if compute.device == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), size, device)
    finally:
        dist.destroy_process_group()
