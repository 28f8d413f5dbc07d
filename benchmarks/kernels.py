"""How much faster the kernels are than the readable reference (``compute.kernels``), on one thread of the CPU.

\b
    python -m benchmarks.kernels

An update of training, greedy search and beam search run on both in turns, in one process, on sentences of random ids.
Prints a table in Markdown; figures are the median of the rounds, ratios are of the same round.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import click
import torch

from benchmarks.configurations import CONFIGURATIONS, Configuration, parameters
from stageformer.compute.device import prepare
from stageformer.decoding.beam import beam_search
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Batch, Rules
from stageformer.kernels.choice import kernels
from stageformer.kernels.draws import draw_from
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.training import Training
from stageformer.text.vocabulary import Vocabulary
from stageformer.training.loss import cross_entropy
from stageformer.training.optimizer import Adam

VOCABULARY_SIZE = 10_000
LENGTH = 16
"""Tokens of every sentence, on both sides."""
RULES = Rules(
    Vocabulary.bos_id, Vocabulary.eos_id, (Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id),
    max_length_ratio=0.0, max_length_offset=LENGTH, min_length_ratio=LENGTH,
)  # fmt: skip


Work = Callable[[], object]
"""An update, or the translation of a batch."""


def make_work(shape: Configuration, training: Training, dropout: float, sentences: int) -> dict[str, Work]:
    """Return what is measured, by name."""
    torch.manual_seed(1)
    side = EmbeddingConfig(VOCABULARY_SIZE, shape.d_model, max_length=LENGTH)
    stack = StackConfig(
        shape.d_model, shape.num_layers, shape.num_heads, shape.d_ff, residual_dropout=dropout,
        embedding_dropout=dropout, attention_dropout=dropout,
    )  # fmt: skip
    trained, fixed = (Transformer(TransformerConfig(side, side, stack, stack, share_embeddings=True)) for _ in range(2))
    fixed.eval()
    optimizer = Adam(trained.parameters(), training)
    source_ids, target_ids = (torch.randint(4, VOCABULARY_SIZE, (sentences, LENGTH)) for _ in range(2))
    present = torch.arange(LENGTH) < torch.randint(LENGTH // 2, LENGTH + 1, (sentences, 1))
    with torch.no_grad():
        batch = Batch(fixed.encoder(source_ids, present), present)

    def update() -> None:
        with draw_from(torch.Generator().manual_seed(1)):
            hidden = trained(source_ids, target_ids[:, :-1], present)  # [B, T, D]
        weight, targets = trained.decoder.output_weight, target_ids[:, 1:].flatten()
        loss, _ = cross_entropy(hidden.flatten(0, 1), weight, targets, training.label_smoothing)
        trained.zero_grad()
        (loss / len(targets)).backward()  # type: ignore[no-untyped-call]
        optimizer.step(training.learning_rate)

    return {
        "training, one update": update,
        "greedy search": partial(greedy, fixed.decoder, batch, RULES),
        "beam of 5": partial(beam_search, fixed.decoder, batch, RULES, beam_size=5, length_penalty=1.0),
    }


def measure(work: Work, rounds: int) -> dict[str, float]:
    """Return milliseconds of ``reference`` and ``fast``, and their ``ratio``; each formulation runs once before."""
    milliseconds: dict[str, list[float]] = {"reference": [], "fast": []}
    for number in range(rounds + 1):
        for name, measured in milliseconds.items():
            with kernels(name):
                started = time.perf_counter()
                work()
                if number:
                    measured.append((time.perf_counter() - started) * 1e3)
    ratios = [slow / quick for slow, quick in zip(*milliseconds.values(), strict=True)]
    return {name: statistics.median(values) for name, values in (*milliseconds.items(), ("ratio", ratios))}


@click.command(help=__doc__)
@click.option("--configuration", type=click.Choice(list(CONFIGURATIONS)), default="tiny", show_default=True)
@click.option("--sentences", type=click.IntRange(min=1), default=64, show_default=True, help="Sentences of a batch.")
@click.option("--dropout", type=click.FloatRange(0, 0.95), default=0.1, show_default=True, help="On all three places.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True)
def main(configuration: str, sentences: int, dropout: float, rounds: int) -> None:
    """Measure and print the table."""
    shape = CONFIGURATIONS[configuration]
    params = parameters(shape, {"compute.threads": 1})
    prepare(parse(Compute, params["compute"], "compute"))
    training = parse(TrainDecoder, params["train_decoder"], "train_decoder").training
    click.echo("| work | reference, ms | fast, ms | reference / fast |\n|---|---|---|---|")
    for name, work in make_work(shape, training, dropout, sentences).items():
        found = measure(work, rounds)
        click.echo(f"| {name} | {found['reference']:.1f} | {found['fast']:.1f} | {found['ratio']:.2f} |")


if __name__ == "__main__":
    main()
