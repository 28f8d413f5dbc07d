"""Many matrices orthogonalised at once: those of one shape are one batched product."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

POLYNOMIAL = (3.4445, -4.7750, 2.0315)
"""Coefficients of x, x^3 and x^5, chosen by Jordan et al. (2024) to lift small singular values fast."""

EPSILON = 1e-7
"""Added to the norm of a matrix, which may be zero."""

BATCH_NUMBERS = 2**17
"""On the CPU, matrices are computed together up to this many numbers, whatever the number of threads: a batch stays in
the cache of one core, and no thread waits long for another. A GPU computes all of one shape at once."""


@torch.no_grad()
def orthogonalise(
    matrices: Sequence[Tensor],
    *,
    iterations: int,
    parallel: Callable[[Callable[[Tensor], Tensor], Iterable[Tensor]], Iterator[Tensor]] = map,
) -> list[Tensor]:
    """Take the place of :func:`stageformer.training.muon.orthogonalise`: one batched product for equal shapes."""
    wide = [matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T for matrix in matrices]
    on_cpu = all(matrix.device.type == "cpu" for matrix in wide)
    batches = list(_batches([matrix.shape for matrix in wide], BATCH_NUMBERS if on_cpu else sys.maxsize))
    stacks = (torch.stack([wide[place] for place in places]) for places in batches)
    orthogonal = list(matrices)
    for places, stack in zip(batches, parallel(lambda part: _orthogonal(part, iterations), stacks), strict=True):
        for place, matrix in zip(places, stack, strict=True):
            orthogonal[place] = matrix if wide[place] is matrices[place] else matrix.T
    return orthogonal


def _batches(shapes: Sequence[torch.Size], numbers: int) -> Iterator[list[int]]:
    """Yield the places of matrices of one shape, as many as are computed together, of at most so many numbers."""
    places: dict[torch.Size, list[int]] = defaultdict(list)
    for place, shape in enumerate(shapes):
        places[shape].append(place)
    # The largest first: threads that have nothing left to do then wait the shortest for the last one.
    for shape, same in sorted(places.items(), reverse=True):
        size = max(1, numbers // shape.numel())
        yield from (same[begin : begin + size] for begin in range(0, len(same), size))


@torch.no_grad()
def _orthogonal(matrices: Tensor, iterations: int) -> Tensor:
    """Orthogonalise ``[N, rows, columns]``, which have no more rows than columns."""
    linear, cubic, quintic = POLYNOMIAL
    x: Tensor = matrices / (torch.linalg.vector_norm(matrices, dim=(-2, -1), keepdim=True) + EPSILON)
    for _ in range(iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=cubic, alpha=quintic), x, beta=linear)
    return x
