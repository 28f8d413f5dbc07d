"""The embeddings of the most frequent tokens, projected to a plane by principal component analysis."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from stageformer.artifacts.csv_files import write_csv
from stageformer.figures.canvas import INK, POINTS, text_width
from stageformer.figures.style import printable, save, style
from stageformer.model.transformer import Transformer
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabularies, Vocabulary

MOST_TOKENS = 300
_SIDE = 8.0
"""inches of a panel"""
_LABEL = 7.5
"""points"""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """The most frequent tokens of a vocabulary in the plane of the two first principal components."""

    side: str
    """whose vocabulary it is: source, target or shared"""
    tokens: Sequence[str]
    """by falling frequency"""
    counts: Sequence[int]
    points: Floats
    """``[tokens, 2]``"""
    explained: tuple[float, float]
    """share of the variance of these tokens along each component, 0 to 1"""


def project_embeddings(model: Transformer, vocabularies: Vocabularies) -> list[Projection]:
    """Project the embeddings of a model: one projection where both sides share vocabulary and matrix, else two.

    Of a model whose memory is vectors of a service, only the target has embeddings.

    Args:
        model: its embeddings
        vocabularies: of the two sides
    """
    source, target = model.encoder.embedding.weight, model.decoder.embedding.weight
    if not len(source):  # a service reads text
        return [project("target", vocabularies.target, target)]
    if vocabularies.shared and source is target:
        return [project("shared", vocabularies.source, source)]
    first = project("source", vocabularies.source, source)
    second = project("target", vocabularies.target, target)
    if vocabularies.shared:
        # The same tokens twice: the panels are easier to compare when neither is the mirror image of the other.
        mirrored = (first.points * second.points).sum(0) < 0
        second = dataclasses.replace(second, points=second.points * np.where(mirrored, -1.0, 1.0))
    return [first, second]


def project(side: str, vocabulary: Vocabulary, weight: Tensor) -> Projection:
    """Project the embeddings of the most frequent tokens.

    The sign of a component is free; it is chosen so that the tokens' mean, weighted by frequency, is positive: the
    pictures of two experiments are not mirror images of each other.

    Args:
        side: whose vocabulary it is
        vocabulary: with the counts of its tokens
        weight: the embedding matrix, ``[V, D]``
    """
    regular = (index for index, token in enumerate(vocabulary.tokens) if token not in SPECIAL_TOKENS)
    rows = sorted(regular, key=lambda index: -vocabulary.counts[index])[:MOST_TOKENS]
    vectors: Floats = weight[rows].detach().double().cpu().numpy()
    centred = vectors - vectors.mean(0)
    _, lengths, components = np.linalg.svd(centred, full_matrices=False)
    # A vocabulary of one token, or vectors of one number, have fewer components than a plane.
    components = np.pad(components[:2], ((0, max(0, 2 - len(components))), (0, 0)))
    shares = np.pad(lengths**2 / max(float((lengths**2).sum()), np.finfo(float).tiny), (0, 2))
    points = centred @ components.T
    counts = np.array([vocabulary.counts[row] for row in rows], dtype=np.float64)
    points *= np.where(counts @ points < 0, -1.0, 1.0)
    return Projection(
        side, [vocabulary.tokens[row] for row in rows], [vocabulary.counts[row] for row in rows], points,
        (float(shares[0]), float(shares[1])),
    )  # fmt: skip


def write_projections(projections: Sequence[Projection], folder: Path) -> None:
    """Write the points as ``embedding.csv`` and draw them as ``embedding.png``, one panel for each projection.

    Raises:
        StageformerError: the disk is full.
    """
    # Digits beyond these may differ from one processor to the next.
    rows = (
        (each.side, token, count, f"{x + 0:.4f}", f"{y + 0:.4f}")
        for each in projections
        for token, count, (x, y) in zip(each.tokens, each.counts, each.points, strict=True)
    )
    write_csv(folder / "embedding.csv", ("side", "token", "count", "x", "y"), rows)
    with style([token for each in projections for token in each.tokens]):
        figure = Figure(figsize=(_SIDE * len(projections), _SIDE), layout="constrained")
        panels = figure.subplots(1, len(projections), squeeze=False)[0]
        for axes, each in zip(panels, projections, strict=True):
            _draw(axes, each)
        save(figure, folder / "embedding.png")


def _draw(axes: Axes, projection: Projection) -> None:
    vocabulary = "the vocabulary" if projection.side == "shared" else f"the {projection.side} vocabulary"
    axes.set_title(
        f"Embeddings of the {len(projection.tokens)} most frequent tokens of {vocabulary}\n"
        "projected to their two principal components; tokens named where there is room",
        fontsize=10,
    )
    axes.set_xlabel(f"first component ({projection.explained[0]:.1%} of the variance)")
    axes.set_ylabel(f"second component ({projection.explained[1]:.1%} of the variance)")
    axes.axhline(0, color="#dddddd", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#dddddd", linewidth=0.8, zorder=0)
    named = _places(projection)
    colors = [INK if index in named else "#b8b8b8" for index in range(len(projection.tokens))]
    axes.scatter(projection.points[:, 0], projection.points[:, 1], s=7, c=colors, linewidths=0)
    for index, (right, above) in named.items():
        axes.annotate(
            _label(projection.tokens[index]), projection.points[index], (3 * right, 3 * above), fontsize=_LABEL,
            textcoords="offset points", ha="left" if right > 0 else "right", va="bottom" if above > 0 else "top",
            color=INK, parse_math=False,
        )  # fmt: skip


def _places(projection: Projection) -> dict[int, tuple[int, int]]:
    """Choose the corner at which each token is named, frequent ones first; one that would cover another gets no name.

    Returns:
        The index of each token that is named, and whether the name is to the right (1) or left (-1) and above (1) or
        below (-1) of its point.
    """
    spread = np.maximum(np.ptp(projection.points, axis=0), 1e-12)
    # Margins and labels of the axes take about a seventh of the panel; close enough to keep names apart.
    inches = (projection.points - projection.points.min(0)) / spread * _SIDE * 0.86
    taken: list[tuple[float, float, float, float]] = [(x - 0.03, y - 0.03, x + 0.03, y + 0.03) for x, y in inches]
    named: dict[int, tuple[int, int]] = {}
    for index, (x, y) in enumerate(inches):
        width, height = text_width(_label(projection.tokens[index]), _LABEL), 1.1 * _LABEL / POINTS
        for right, above in ((1, 1), (-1, 1), (1, -1), (-1, -1)):
            left, low = (x + 0.04 if right > 0 else x - 0.04 - width), (y + 0.04 if above > 0 else y - 0.04 - height)
            box = (left, low, left + width, low + height)
            if not any(_overlap(box, other) for place, other in enumerate(taken) if place != index):
                named[index] = (right, above)
                taken.append(box)
                break
    return named


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _label(token: str) -> str:
    return printable(token.replace(" ", "\u2423"))
