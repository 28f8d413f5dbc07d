"""The formats of ``export.formats``: how each is written, and how it fares beside our own search."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stageformer.export.ctranslate2 import save_ctranslate2
from stageformer.export.differences import difference, examples, summary
from stageformer.export.engines import Run, Task
from stageformer.export.huggingface import save_huggingface
from stageformer.model.transformer import Transformer
from stageformer.scoring.metrics import DIGITS, Scorer
from stageformer.text.pair import Tokenizers
from stageformer.text.vocabulary import Vocabularies

NUM_EXAMPLES = 20
"""Differences that are kept of each format."""


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found, by format."""

    metrics: dict[str, Any]
    examples: dict[str, Any]
    speeds: dict[str, float]
    """sentences a second, ours as ``stageformer``"""


def write_format(
    name: str, folder: Path, model: Transformer, tokenizers: Tokenizers, vocabularies: Vocabularies
) -> None:
    """Write one format.

    Args:
        name: one of :data:`stageformer.params.export.FORMATS`
        folder: where to
        model: in eval mode, on the CPU
        tokenizers: those of the model
        vocabularies: those of the model

    Raises:
        StageformerError: the format cannot express the model, or its package is not installed.
    """
    if name == "huggingface":
        save_huggingface(model, tokenizers, vocabularies, folder)
    else:
        quantization = "int8" if name == "ctranslate2_int8" else None
        save_ctranslate2(model, vocabularies, folder, quantization=quantization)


def compare(
    formats: Sequence[str],
    output: Path,
    task: Task,
    ids: Sequence[int],
    model: Transformer,
    vocabularies: Vocabularies,
    scorer: Scorer,
) -> Comparison:
    """Translate the sentences of ``task`` by our greedy search and by each format, and explain what differs.

    Args:
        formats: those to compare
        output: the folder that holds a folder of each
        task: the sentences
        ids: of the sentences
        model: in eval mode, on the CPU
        vocabularies: those of the model
        scorer: knows the references
    """
    ours = task.ours(model)
    bleu = scorer.brief(ours.texts)["bleu"]
    found = Comparison({}, {}, {"stageformer": round(ours.sentences_per_second, 1)})
    for name in formats:
        folder = output / name
        run = task.huggingface(folder, model) if name == "huggingface" else task.ctranslate2(folder, model)
        differences = [
            difference(
                model,
                vocabularies,
                id=ids[row],
                source=task.texts[row],
                source_ids=task.source_ids[row],
                ours=(ours.ids[row], ours.texts[row]),
                theirs=(run.ids[row], run.texts[row]),
            )
            for row in _differing(ours, run)
        ]
        its_bleu = scorer.brief(run.texts)["bleu"]
        found.metrics[name] = {
            "size_mib": round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20, 3),
            "greedy_equal": round(100 * (1 - len(differences) / len(run.texts)), DIGITS),
            "bleu": its_bleu,
            "bleu_difference": round(its_bleu - bleu, DIGITS),
            "differences": summary(differences),
        }
        found.examples[name] = examples(differences, NUM_EXAMPLES)
        found.speeds[name] = round(run.sentences_per_second, 1)
    for name, speed in found.speeds.items():
        print(f"export: {name}: {speed:,.0f} sentences/s", file=sys.stderr)
    return found


def _differing(ours: Run, theirs: Run) -> list[int]:
    return [row for row, pair in enumerate(zip(ours.texts, theirs.texts, strict=True)) if pair[0] != pair[1]]
