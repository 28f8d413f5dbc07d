"""Does Stageformer learn as the plain loop does? The training loss over an epoch, for several seeds of both.

\b
    python -m benchmarks.loss_curves --data corpus --seeds 3 --output docs/loss-curves.svg

For each seed both start from the same weights, those of the plain model, and see the same batches; what differs is
dropout and rounding. If Stageformer's curves lie among those of the plain loop's seeds, its loss, gradients, dropout
and optimizer do what torch's own do.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure

from benchmarks.configurations import CONFIGURATIONS, parameters
from benchmarks.corpus import Corpus, load
from benchmarks.ours import Ours
from benchmarks.plain import PlainTransformer, training_loop
from stageformer.batching.sentences import Ints
from stageformer.commands.program import command
from stageformer.export.torch_layers import load_torch_stack
from stageformer.model.transformer import Transformer

WINDOW = 10
"""updates whose losses are averaged to a point of the curve"""
Floats = npt.NDArray[np.float64]


@command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of the corpus, prepared.")
@click.option("--config", "name", type=click.Choice(list(CONFIGURATIONS)), default="tiny", show_default=True)
@click.option("--seeds", type=click.IntRange(min=2), default=3, show_default=True, help="Trainings of each system.")
@click.option("--batch-tokens", type=click.IntRange(min=1), default=4096, show_default=True, help="Of an update.")
@click.option("--updates", type=click.IntRange(min=WINDOW), help="[default: those of one epoch]")
@click.option("--threads", type=click.IntRange(min=1), default=2, show_default=True, help="Threads on the CPU.")
@click.option("--output", type=click.Path(path_type=Path), help="A picture: .svg or .png.")
def main(
    data: Path, name: str, seeds: int, batch_tokens: int, updates: int | None, threads: int, output: Path | None
) -> None:
    """Train both systems with each seed, and print where Stageformer's curves lie."""
    corpus = load(data)
    sentences = len(corpus.splits["train"])
    number = updates or _updates_of_an_epoch(corpus, batch_tokens, sentences)
    batches = list(itertools.islice(corpus.batches(batch_tokens), number))
    plain, ours = [], []
    for seed in range(seeds):
        torch.set_num_threads(threads)
        torch.manual_seed(seed)
        model = PlainTransformer(CONFIGURATIONS[name], len(corpus.vocabularies.target))
        changes = {"compute.threads": threads, "train_decoder.training.seed": seed}
        task, training = (system := Ours(parameters(CONFIGURATIONS[name], changes), corpus, data)).joint()
        assert isinstance(task.model, Transformer)
        copy_weights(model, task.model)
        torch.set_num_threads(threads)
        plain.append(curve(training_loop(model, corpus.splits["train"], "fp32"), batches, f"plain, seed {seed}"))
        ours.append(curve(system.updates(task, training), batches, f"Stageformer, seed {seed}"))
    click.echo("\n".join(table(np.stack(plain), np.stack(ours))))
    if output is not None:
        draw(np.stack(plain), np.stack(ours), output)


def copy_weights(plain: PlainTransformer, ours: Transformer) -> None:
    """Let our model start from the weights of the plain one."""
    load_torch_stack(ours.encoder, plain.transformer.encoder)
    load_torch_stack(ours.decoder, plain.transformer.decoder)
    with torch.no_grad():
        for stack in (ours.encoder, ours.decoder):
            stack.embedding.weight.copy_(plain.embedding.weight)


def curve(update: Callable[[Ints], float], batches: list[Ints], title: str) -> Floats:
    """Train, and return the loss of each window of updates, in nats a token, ``[windows]``."""
    with click.progressbar(batches, label=title) as bar:
        losses = np.array([update(rows) for rows in bar])
    windows: Floats = losses[: len(losses) // WINDOW * WINDOW].reshape(-1, WINDOW).mean(1)
    return windows


def table(plain: Floats, ours: Floats) -> list[str]:
    """Return the curves ``[seeds, windows]`` side by side, as lines of text."""
    lines = ["updates     plain, smallest to largest   Stageformer, smallest to largest   difference of the means"]
    for window in range(plain.shape[1]):
        p, o = plain[:, window], ours[:, window]
        lines.append(
            f"{window * WINDOW + 1:>4}-{(window + 1) * WINDOW:<4} {p.min():14.4f} to {p.max():.4f} "
            f"{o.min():20.4f} to {o.max():.4f} {o.mean() - p.mean():+22.4f}"
        )
    deviation = plain.std(0, ddof=1).mean()
    distance = np.abs(ours.mean(0) - plain.mean(0)).mean()
    lines.append(f"standard deviation over the plain loop's seeds: {deviation:.4f}")
    return [*lines, f"distance of the means: {distance:.4f}"]


def draw(plain: Floats, ours: Floats, output: Path) -> None:
    """Draw every curve."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes: Any = figure.subplots()
    middle = (np.arange(plain.shape[1]) + 0.5) * WINDOW
    for curves, label, color, line in ((plain, "plain loop", "#0072B2", "-"), (ours, "Stageformer", "#D55E00", "--")):
        for seed, values in enumerate(curves):
            axes.plot(middle, values, line, color=color, linewidth=1, label=label if seed == 0 else None)
    axes.set_xlabel("updates")
    axes.set_ylabel("training loss (nats a token, label smoothing included)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(output, metadata={"Date": None} if output.suffix == ".svg" else None)


def _updates_of_an_epoch(corpus: Corpus, batch_tokens: int, sentences: int) -> int:
    seen = 0
    for number, rows in enumerate(corpus.batches(batch_tokens), start=1):
        seen += len(rows)
        if seen >= sentences:
            return number
    raise AssertionError("the batches have no end")


if __name__ == "__main__":
    main()
