"""Pictures of attention weights: one sentence, all layers and heads."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from stageformer.artifacts.files import atomic_folder
from stageformer.artifacts.tables import read_table
from stageformer.building.service import ServiceEncoder
from stageformer.console.output import say
from stageformer.errors import StageformerError
from stageformer.figures.canvas import Box, Canvas, text_width
from stageformer.figures.style import SEQUENTIAL, printable, save, style
from stageformer.figures.traces import attention_weights
from stageformer.model.transformer import Transformer
from stageformer.scoring.report import Translations
from stageformer.text.vocabulary import BOS, EOS, Vocabularies

Floats = npt.NDArray[np.float32]

_CELL = 0.27
"""inches"""
_TOP, _HEADING, _BETWEEN = 0.35, 0.25, 0.1
"""inches above, over each small map, and between them"""
_LARGEST_CELLS = 60
"""tokens per side beyond which cells shrink, so that a long sentence does not make a picture of several metres"""


def attention_map(
    weights: Floats, rows: Sequence[str], columns: Sequence[str], path: Path, *, title: str, caption: Sequence[str],
    row_label: str, column_label: str,
) -> None:
    """Draw one map of attention weights to a PNG file.

    Args:
        weights: ``[rows, columns]``, from 0 to 1
        rows: the tokens that attend
        columns: the tokens that they attend to
        path: the file
        title: what it is
        caption: paragraphs under the title; each is wrapped, and cut after three lines
        row_label: what the rows are
        column_label: what the columns are

    Raises:
        StageformerError: the disk is full.
    """
    cell = _CELL * min(1.0, _LARGEST_CELLS / max(len(rows), len(columns)))
    width = max(6.0, cell * len(columns) + 2.8)
    wrap = textwrap.TextWrapper(width=int((width - 1) * 10), max_lines=3, placeholder=" \u2026")
    lines = [line for paragraph in caption for line in wrap.wrap(paragraph)]
    height = max(2.2, cell * len(rows)) + 1.7 + 0.17 * len(lines)
    with style([*lines, *rows, *columns]):
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title, fontsize=11, fontweight="bold")
        axes = figure.add_subplot()
        image = axes.imshow(
            weights, cmap=SEQUENTIAL, vmin=0.0, vmax=float(weights.max()), aspect="auto", interpolation="nearest"
        )
        _label(axes, rows, columns, size=8.5 * cell / _CELL)
        axes.set_xlabel(column_label)
        axes.set_ylabel(row_label)
        axes.set_title("\n".join(map(printable, lines)), fontsize=9, loc="left", parse_math=False)
        figure.colorbar(image, ax=axes, label="attention weight", shrink=0.9)
        save(figure, path)


def attention_heads(
    weights: Floats, rows: Sequence[str], columns: Sequence[str], path: Path, *, title: str,
    row_label: str, column_label: str,
) -> None:
    """Draw a small map for each head of each layer, all on one scale, to a PNG file.

    Args:
        weights: ``[layers, H, rows, columns]``; minus infinity where the mask forbids
        rows: the tokens that attend
        columns: the tokens that they attend to
        path: the file
        title: what it is
        row_label: what the rows are
        column_label: what the columns are

    Raises:
        StageformerError: the disk is full.
    """
    num_layers, num_heads = weights.shape[:2]
    cell = 0.15 * min(1.0, 30 / max(len(rows), len(columns)))
    width, height = max(1.2, cell * len(columns)), max(1.2, cell * len(rows))
    size = 6.5 * cell / 0.15
    rows, columns = ([_written(token) for token in tokens] for tokens in (rows, columns))
    with style([*rows, *columns]):
        left, under = (
            margin + max(text_width(token, size) for token in tokens)
            for margin, tokens in ((0.55, rows), (0.45, columns))
        )
        sheet_width = max(6.0, left + num_heads * (width + _BETWEEN) + 1.0)
        bottom = _TOP + num_layers * (height + _HEADING)
        canvas = Canvas(sheet_width, bottom + under)
        canvas.text(sheet_width / 2, 0.2, title, size=11, bold=True)
        for layer, head in np.ndindex(num_layers, num_heads):
            box = Box(
                left + head * (width + _BETWEEN), _TOP + layer * (height + _HEADING) + _HEADING, width, height
            )  # fmt: skip
            canvas.matrix(box, weights[layer, head], SEQUENTIAL, (0.0, 1.0), edge_width=0.8)
            canvas.text(box.center[0], box.y - 0.1, f"layer {layer + 1}, head {head + 1}", size=7.5)
            if head == 0:
                for row, token in enumerate(rows):
                    y = box.cells(weights.shape[2:], row, 0).center[1]
                    canvas.text(box.x - 0.05, y, token, size=size, align="right")
            if layer == num_layers - 1:
                for column, token in enumerate(columns):
                    x = box.cells(weights.shape[2:], 0, column).center[0]
                    canvas.text(x, box.bottom + 0.05, token, size=size, upright="top", turned=True)
        canvas.text(0.2, (_TOP + bottom) / 2, row_label, turned=True)
        right = left + num_heads * (width + _BETWEEN)
        canvas.text((left + right) / 2, bottom + under - 0.17, column_label)
        bar = Box(right + 0.2, _TOP + _HEADING + 0.3, 0.16, min(3.0, bottom - _TOP - _HEADING - 0.6))
        canvas.gradient(bar, SEQUENTIAL)
        for y, text in ((bar.y - 0.1, "1"), (bar.bottom + 0.1, "0")):
            canvas.text(bar.center[0], y, text, size=7.5)
        canvas.text(bar.right + 0.15, bar.center[1], "attention weight", turned=True)
        save(canvas.figure, path)


def _label(axes: Axes, rows: Sequence[str], columns: Sequence[str], size: float) -> None:
    """Write the tokens beside the rows and under the columns."""
    for axis, tokens in ((axes.yaxis, rows), (axes.xaxis, columns)):
        # A `$` in a token begins no formula.
        axis.set_ticks(range(len(tokens)), list(map(_written, tokens)), fontsize=size, parse_math=False)
    axes.tick_params(axis="x", rotation=90, length=2)
    axes.tick_params(axis="y", length=2)


def _written(token: str) -> str:
    """A token as it is shown: spaces have a sign, since they are part of it."""
    return printable(token.replace(" ", "\u2423"))


SHORTEST, LONGEST = 5, 30
"""source tokens of a sentence that makes a good picture"""


def choose_sentences(lengths: Sequence[int], number: int) -> list[int]:
    """Choose rows for pictures: spread evenly over the split, of lengths that can be read, where there are such.

    Args:
        lengths: tokens of each source
        number: how many at most
    """
    fitting = [row for row, length in enumerate(lengths) if SHORTEST <= length <= LONGEST]
    candidates = fitting or list(range(len(lengths)))
    places = np.linspace(0, len(candidates) - 1, min(number, len(candidates)))
    return [candidates[round(float(place))] for place in places]


@dataclass(frozen=True)
class Sentence:
    """A sentence and its translation."""

    id: int
    source_ids: Sequence[int]
    """<eos> included"""
    translation_ids: Sequence[int]
    """without special tokens"""
    source: str
    translation: str
    reference: str


def sentences_to_draw(translations: Translations, hypotheses: Path, ids: Path, number: int) -> list[Sentence]:
    """Choose sentences for pictures, with what is written on them.

    Args:
        translations: the sentences of the split as text
        hypotheses: table of kind ``hypotheses``, of the same sentences
        ids: table of the split, of kind ``ids``
        number: how many at most

    Raises:
        StageformerError: a table is missing or damaged, or they are not of the same sentences.
    """
    rows = read_table(ids, "ids", ["id", "source_ids"]).to_pydict()
    if rows["id"] != list(translations.ids):
        raise StageformerError(f"{ids}: holds other sentences than {hypotheses}; run `dvc repro`")
    found = read_table(hypotheses, "hypotheses", ["beam_ids"]).to_pydict()["beam_ids"]
    return [
        Sentence(
            id=translations.ids[row],
            source_ids=rows["source_ids"][row],
            translation_ids=found[row],
            source=translations.sources[row],
            translation=translations.beam[row],
            reference=translations.references[row][0],
        )
        for row in choose_sentences([len(sentence) for sentence in rows["source_ids"]], number)
    ]


def draw_attention(
    model: Transformer, vocabularies: Vocabularies, sentences: Sequence[Sentence], folder: Path
) -> None:
    """Replace ``folder`` by one with four pictures of each sentence.

    ``ID-cross.png``: cross-attention of the last decoder layer, mean over heads; ``ID-cross-heads.png``: of every layer
    and head; ``ID-encoder.png``, ``ID-decoder.png``: self-attention of every layer and head of the encoder (unless
    others made it) and of the decoder. ID is that of the sentence. Where the memory is one vector of a service, there
    is nothing to choose among, and no picture.

    Args:
        model: in eval mode
        vocabularies: of both sides
        sentences: what to draw
        folder: for the PNG files

    Raises:
        StageformerError: the disk is full.
    """
    if isinstance(model.encoder, ServiceEncoder):
        sentences = []
        say("evaluate: no pictures of attention: a sentence has one vector, which gets all of it")
    with atomic_folder(folder, ("*.png",)) as new:
        for sentence in tqdm(sentences, desc="evaluate: pictures", unit="sentence", disable=None):
            _draw_sentence(model, vocabularies, sentence, new)


def _draw_sentence(model: Transformer, vocabularies: Vocabularies, sentence: Sentence, folder: Path) -> None:
    weights = attention_weights(model, sentence.source_ids, [vocabularies.target.bos_id, *sentence.translation_ids])
    source = vocabularies.source.to_tokens(sentence.source_ids)
    tokens = vocabularies.target.to_tokens(sentence.translation_ids)
    read = [BOS, *tokens]
    # The row of a token is the step that predicts it: what the model looked at to write it.
    written = [*tokens, EOS]
    labels = {"row_label": "token written", "column_label": "source token"}
    attention_map(
        weights.cross[-1].mean(0),
        written,
        source,
        folder / f"{sentence.id}-cross.png",
        title="Where the decoder looks: last layer, mean over heads",
        caption=[
            f"Source: {sentence.source}",
            f"Translation: {sentence.translation}",
            f"Reference: {sentence.reference}",
        ],
        **labels,
    )
    attention_heads(
        weights.cross,
        written,
        source,
        folder / f"{sentence.id}-cross-heads.png",
        title="Where the decoder looks: every layer and head",
        **labels,
    )
    if len(weights.encoder):
        causal = bool(model.config.encoder.causal)
        attention_heads(
            _below_the_diagonal(weights.encoder) if causal else weights.encoder,
            source,
            source,
            folder / f"{sentence.id}-encoder.png",
            title="Where the encoder looks: every layer and head",
            row_label="source token",
            column_label="source token that it attends to" + (" (hatched: masked)" if causal else ""),
        )
    attention_heads(
        _below_the_diagonal(weights.decoder),
        read,
        read,
        folder / f"{sentence.id}-decoder.png",
        title="Where the decoder looks in what it has written: every layer and head",
        row_label="token read",
        column_label="token that it attends to (hatched: masked)",
    )


def _below_the_diagonal(weights: Floats) -> Floats:
    """Put minus infinity where the causal mask forbids: the weights ``[layers, H, T, T]`` are 0 there."""
    return np.where(np.tri(weights.shape[-1], dtype=bool), weights, -np.inf).astype(np.float32)
