"""The screens of a walk, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from stageformer.model.config import StackConfig, TransformerConfig
from stageformer.walk.trace import SUBLAYERS

_POSITIONS = {"sinusoidal": "positions", "learned": "positions_learned"}
"""The step that adds them, by ``embed.positions``."""


class Step(NamedTuple):
    """One screen."""

    id: str
    """its address in the page, such as ``decoder/3/1/cross_attention/scores``"""
    kind: str
    """of explanation and picture"""
    stack: str
    """``encoder``, ``decoder`` or "" """
    token: int
    """which token of the translation is predicted, from 1; 0: none yet"""
    layer: int
    """from 1; 0: in no layer"""
    sublayer: str


class Shape(NamedTuple):
    """What the steps of one model depend on."""

    config: TransformerConfig
    tokens: int
    """of the translation, <eos> included"""


def steps(shapes: Sequence[Shape]) -> list[tuple[Step, list[bool]]]:
    """Return every step that one of the models takes, and which of them take it."""
    taken = [dict.fromkeys(_steps_of(shape)) for shape in shapes]
    everything: dict[Step, None] = {}
    configs = [shape.config for shape in shapes]
    # All kinds of norm in one order, so that the steps of different models interleave.
    for step in _ordered(configs, max(shape.tokens for shape in shapes)):
        if any(step in own for own in taken):
            everything[step] = None
    return [(step, [step in own for own in taken]) for step in everything]


def tour(found: Sequence[Step]) -> list[Step]:
    """Return the few steps that show the whole: each kind once, in the first layer, up to the third token."""
    token = min(3, max(step.token for step in found))
    last = max(step.layer for step in found if step.stack == "decoder")
    wanted = [
        ("tokens", "ids", "embedding", *_POSITIONS.values()),
        ("norm_before", "projections", "scores", "scores_masked", "softmax", "output", "residual", "residual_pre"),
        ("feed_forward",),
        ("memory", "read"),
        ("scores_masked",),
        ("softmax",),
        ("logits", "probabilities", "result"),
    ]
    places = [
        ("", 0, 0), ("self_attention", 0, 1), ("feed_forward", 0, 1), ("", min(1, token), 0),
        ("self_attention", token, 1), ("cross_attention", token, last), ("", token, 0),
    ]  # fmt: skip
    shown = {
        (kind, sublayer, number if kind not in ("memory", "result") else 0, layer)
        for kinds, (sublayer, number, layer) in zip(wanted, places, strict=True)
        for kind in kinds
    }
    return [step for step in found if (step.kind, step.sublayer, step.token, step.layer) in shown]


def _steps_of(shape: Shape) -> Iterator[Step]:
    for step in _ordered([shape.config], shape.tokens):
        config = shape.config.decoder if step.stack == "decoder" else shape.config.encoder
        pre = config.norm == "pre" and not config.attention_only
        if step.stack == "encoder" and step.kind == ("scores" if config.causal else "scores_masked"):
            continue
        if step.kind in ("norm_before", "residual_pre", "final_norm") and not pre:
            continue
        if step.kind == "residual" and (pre or config.attention_only):
            continue
        if step.sublayer == "feed_forward" and config.attention_only:
            continue
        positions = shape.config.source.positions
        if step.kind in _POSITIONS.values() and step.kind != _POSITIONS.get(positions):
            continue
        yield step


def _ordered(configs: Sequence[TransformerConfig], tokens: int) -> Iterator[Step]:
    for kind in ("text", "normalised", "tokens", "ids", "embedding", *_POSITIONS.values()):
        yield Step(kind, kind, "", 0, 0, "")
    yield from _stack("encoder", 0, [config.encoder for config in configs])
    yield Step("memory", "memory", "encoder", 0, 0, "")
    for token in range(1, tokens + 1):
        for kind in ("read", "target_embedding"):
            yield Step(f"decoder/{token}/{kind}", kind, "decoder", token, 0, "")
        yield from _stack("decoder", token, [config.decoder for config in configs])
        for kind in ("logits", "probabilities", "chosen"):
            yield Step(f"decoder/{token}/{kind}", kind, "decoder", token, 0, "")
    yield Step("result", "result", "", 0, 0, "")


def _stack(stack: str, token: int, configs: Sequence[StackConfig]) -> Iterator[Step]:
    start = f"{stack}/{token}" if token else stack
    for layer in range(1, max(config.num_layers for config in configs) + 1):
        for sublayer in SUBLAYERS[stack]:
            for kind in _kinds(stack, sublayer):
                yield Step(f"{start}/{layer}/{sublayer}/{kind}", kind, stack, token, layer, sublayer)
    yield Step(f"{start}/final_norm", "final_norm", stack, token, 0, "")


def _kinds(stack: str, sublayer: str) -> Sequence[str]:
    around = ("residual", "residual_pre")
    if sublayer == "feed_forward":
        return ("norm_before", "feed_forward", *around)
    if sublayer == "cross_attention":
        return ("norm_before", "projections_cross", "scores", "softmax", "heads", "output", *around)
    scores = ("scores_masked",) if stack == "decoder" else ("scores", "scores_masked")  # an encoder may be causal
    return ("norm_before", "projections", *scores, "softmax", "heads", "output", *around)
