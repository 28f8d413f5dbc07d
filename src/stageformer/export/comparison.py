"""Every exported format beside our own search on the same work, and why translations differ.

The work is the sentences of a split, in the same batches, by greedy search.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from stageformer.batching.sentences import Sentences
from stageformer.building.service import ServiceEncoder
from stageformer.compute.device import make_pool
from stageformer.console.output import say
from stageformer.decoding.corpus import translate_corpus
from stageformer.decoding.search import by_greedy
from stageformer.export.formats.base import Format
from stageformer.export.workload import Run, Workload, timed
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.transformer import Transformer
from stageformer.scoring.metrics import DIGITS, Scorer
from stageformer.text.vocabulary import Vocabularies

ROUNDING = 1e-3
"""Nats. Tokens that our model holds for equally probable up to this are a tie, which rounding may break either way."""
NUM_EXAMPLES = 20
"""Disagreements that are kept of each format."""


@dataclass(frozen=True)
class Measured:
    """What :func:`compare` found, by format."""

    sizes: dict[str, float]
    """MiB of the folder"""
    metrics: dict[str, Any]
    examples: dict[str, Any]
    speeds: dict[str, float]
    """sentences per second, ours as ``stageformer``"""


def compare(
    formats: Mapping[str, Format], output: Path, workload: Workload, ids: Sequence[int], scorer: Scorer
) -> Measured:
    """Translate sentences by our greedy search and by each format, and explain what differs.

    Args:
        formats: those to compare, by name
        output: the folder that holds a folder of each
        workload: the sentences
        ids: of the sentences
        scorer: knows the references
    """
    if isinstance(workload.model.encoder, ServiceEncoder):  # for which `check` allows no formats
        return Measured({}, {}, {}, {})
    ours = translate_by_stageformer(workload)
    bleu = scorer.brief(ours.texts)["bleu"]
    found = Measured({}, {}, {}, {"stageformer": round(ours.sentences_per_second, 1)})
    for name, its in formats.items():
        folder = output / name
        run = its.translate(workload, folder)
        disagreements = [
            disagreement(
                workload.model,
                workload.vocabularies,
                id=ids[row],
                source=workload.texts[row],
                source_ids=workload.source_ids[row],
                ours=(ours.ids[row], ours.texts[row]),
                theirs=(run.ids[row], run.texts[row]),
            )
            for row, (our_text, its_text) in enumerate(zip(ours.texts, run.texts, strict=True))
            if our_text != its_text
        ]
        its_bleu = scorer.brief(run.texts)["bleu"]
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        found.sizes[name] = round(size / 2**20, 3)
        found.metrics[name] = {
            "greedy_equal": round(100 * (1 - len(disagreements) / len(run.texts)), DIGITS),
            "bleu": its_bleu,
            "bleu_difference": round(its_bleu - bleu, DIGITS),
            "differences": summary(disagreements),
        }
        found.examples[name] = [asdict(example) for example in disagreements[:NUM_EXAMPLES]]
        found.speeds[name] = round(run.sentences_per_second, 1)
    for name, speed in found.speeds.items():
        say(f"export: {name}: {speed:,.0f} sentences/s")
    return found


def translate_by_stageformer(workload: Workload) -> Run:
    """Translate by our own search."""
    model = workload.model
    memory = EncodedMemory(
        EncoderSource(model.encoder, workload.vocabularies.source.pad_id), Sentences.of(workload.source_ids)
    )
    search = by_greedy(model.decoder, workload.rules)
    pool = make_pool(workload.compute, pieces=workload.compute.threads)

    def translate() -> list[list[int]]:
        found = translate_corpus(memory, search, workload.batch_tokens, "export: greedy search", pool)
        return [best.ids for best, *_ in found]

    run = timed(translate, workload.text)
    pool.close()
    return run


@dataclass(frozen=True)
class Disagreement:
    """A sentence that two engines translate differently."""

    id: int
    source: str
    ours: str
    theirs: str
    position: int | None
    """of the first token that differs, from 0; None: the tokens are the same, and only their text is not"""
    our_token: str | None
    their_token: str | None
    margin: float | None
    """nats by which our model, in our arithmetic, prefers our token to theirs"""


@torch.inference_mode()
def margin(
    model: Transformer, source_ids: Sequence[int], bos_id: int, prefix: Sequence[int], ours: int, theirs: int
) -> float:
    """Return the log-probability of token ``ours`` less that of ``theirs`` after a translation began with ``prefix``.

    Args:
        model: in eval mode, on the CPU
        source_ids: the source, <eos> included
        bos_id: what every translation begins with
        prefix: ids of what both agree on
        ours: an id
        theirs: an id
    """
    hidden = model(torch.tensor([source_ids]), torch.tensor([[bos_id, *prefix]]))[0, -1]  # [D]
    logits = model.decoder.logits(hidden).double()
    return float(logits[ours] - logits[theirs])


def disagreement(
    model: Transformer,
    vocabularies: Vocabularies,
    *,
    id: int,
    source: str,
    source_ids: Sequence[int],
    ours: tuple[Sequence[int], str],
    theirs: tuple[Sequence[int], str],
) -> Disagreement:
    """Find the first token in which two translations, each given as ids and text, part."""
    target = vocabularies.target
    our_ids, their_ids = [*ours[0], target.eos_id], [*theirs[0], target.eos_id]
    pairs = enumerate(zip(our_ids, their_ids, strict=False))
    position = next((place for place, (our_id, their_id) in pairs if our_id != their_id), None)
    if position is None:
        return Disagreement(id, source, ours[1], theirs[1], None, None, None, None)
    our_id, their_id = our_ids[position], their_ids[position]
    return Disagreement(
        id=id,
        source=source,
        ours=ours[1],
        theirs=theirs[1],
        position=position,
        our_token=target.tokens[our_id],
        their_token=target.tokens[their_id],
        margin=round(margin(model, source_ids, target.bos_id, our_ids[:position], our_id, their_id), 4),
    )


def summary(disagreements: Sequence[Disagreement]) -> dict[str, Any]:
    """Count the disagreements by their cause."""
    margins = [abs(found.margin) for found in disagreements if found.margin is not None]
    return {
        "ties": sum(margin <= ROUNDING for margin in margins),
        "other_tokens": sum(margin > ROUNDING for margin in margins),
        "other_text": len(disagreements) - len(margins),
        "largest_margin": max(margins, default=0.0),
    }
