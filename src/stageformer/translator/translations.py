"""What goes into a translation and what comes out, in plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Sampling:
    """How translations are drawn; see :func:`stageformer.decoding.sampling.sample`."""

    seed: int
    temperature: float
    top_k: int
    top_p: float


class Translation(NamedTuple):
    """One translation of a sentence."""

    text: str
    """in one line, whatever a model writes"""
    score: float
    """what the search ranks by; see :class:`stageformer.decoding.rules.Hypothesis`"""
    ids: list[int]
    """its tokens, without <bos> and <eos>"""


class Score(NamedTuple):
    """What the model thinks of a translation."""

    log_probability: float
    """natural logarithm"""
    tokens: int
    """of the translation, <eos> included"""
