"""What `stageformer translate` prints: translations, scores, and the alignment as a picture of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stageformer.console.output import clean
from stageformer.decoding.sampling import Sampling
from stageformer.figures.traces import attention_weights
from stageformer.terminal.text import display_width
from stageformer.text.conversion import source_ids
from stageformer.text.normalisation import normalise
from stageformer.translator.translator import Score, Translation, Translator

SHADES = {0.75: "█", 0.5: "▓", 0.25: "▒", 0.05: "░", 0.0: " "}
"""The character for a weight of at least so much."""
LEGEND = ", ".join(f"{shade} {least:.0%}" for least, shade in sorted(SHADES.items()) if least) + " or more"


def alignment_lines(
    target: Sequence[str], source: Sequence[str], weights: npt.NDArray[np.float32], width: int
) -> list[str]:
    """Return lines with a weight of attention a shade: a row for each target token, a column for each source token.

    The names of the columns are above them, from top to bottom. A source too long for the width is cut into blocks.

    Args:
        target: tokens of the translation, ``[T]``
        source: tokens of the source, ``[S]``
        weights: from each target token to each source token, ``[T, S]``; rows sum to 1
        width: of the terminal, in cells
    """
    names = [clean(token) for token in target]
    margin = max(map(display_width, names), default=0) + 2
    columns = [clean(token) for token in source]
    # Two cells a column: as wide as it is high, about, and wide enough for a character of any script.
    most = max(1, (width - margin) // 2)
    lines: list[str] = []
    for start in range(0, len(columns), most):
        block = slice(start, start + most)
        lines += [*([""] if lines else []), *_header(columns[block], margin)]
        for name, row in zip(names, weights[:, block], strict=True):
            cells = "".join(2 * _shade(weight) for weight in row.tolist())
            lines.append((" " * (margin - 1 - display_width(name)) + name + " " + cells).rstrip())
    return lines


def _header(names: Sequence[str], margin: int) -> list[str]:
    """Return the lines of names written downwards, flush with the matrix under them."""
    height = max(map(len, names), default=0)
    padded = [name.rjust(height) for name in names]
    rows = ["".join(_two_cells(name[line]) for name in padded) for line in range(height)]
    return [(" " * margin + row).rstrip() for row in rows]


def _two_cells(character: str) -> str:
    return character + " " * (2 - display_width(character))


def _shade(weight: float) -> str:
    return next(shade for least, shade in SHADES.items() if weight >= least)


@dataclass(frozen=True)
class Answers:
    """A translator, and how its translations are shown."""

    translator: Translator
    beam_size: int | None
    """None: as the parameters say"""
    nbest: int | None
    """how many translations to show, with scores; None: the text of one"""
    sampling: Sampling | None
    """None: search for the best"""
    prefix: str
    """what every translation begins with"""
    attention_width: int | None
    """the width of the drawing of the attention, in cells; None: no drawing"""
    indented: bool
    """for a reader's eye, not for another program"""

    def lines(self, texts: Sequence[str], *, origin: str, first_line: int = 1, show_progress: bool) -> Iterator[str]:
        """Yield what answers the sentences. Raises StageformerError as :meth:`Translator.nbest`."""
        found = self.translator.nbest(
            texts,
            number=self.nbest or 1,
            beam_size=self.beam_size,
            sampling=self.sampling,
            prefix=self.prefix,
            origin=origin,
            first_line=first_line,
            show_progress=show_progress,
        )
        for number, (text, translations) in enumerate(zip(texts, found, strict=True), start=first_line):
            if not translations:
                yield ""
            for translation in translations:
                yield self._line(number, translation)
                if self.attention_width is not None:
                    yield from self._drawing(text, translation, self.attention_width)

    def _line(self, number: int, translation: Translation) -> str:
        if self.nbest is None:
            return translation.text
        if self.indented:
            return f"  {translation.score:8.4f}  {translation.text}"
        return f"{number}\t{translation.score:.4f}\t{translation.text}"

    def _drawing(self, text: str, translation: Translation, width: int) -> Iterator[str]:
        """Yield the mean over the heads of the cross-attention of the last layer, from the token that is said next."""
        tokenizers, vocabularies = self.translator.tokenizers, self.translator.vocabularies
        (ids,) = source_ids([normalise(text)], tokenizers.source, vocabularies.source)
        read = [vocabularies.target.bos_id, *translation.ids]
        weights = attention_weights(self.translator.model, ids, read).cross[-1].mean(0)  # [T, S]
        said = vocabularies.target.to_tokens([*translation.ids, vocabularies.target.eos_id])
        yield ""
        yield from alignment_lines(said, vocabularies.source.to_tokens(ids), weights, width)
        yield ""
        yield LEGEND
        yield ""


def score_lines(scores: Sequence[Score | None]) -> Iterator[str]:
    """Yield the log-probability and the perplexity of each given translation; ``nan`` where there is none."""
    for score in scores:
        if score is None:
            yield "nan\tnan"
        else:
            yield f"{score.log_probability:.4f}\t{math.exp(-score.log_probability / score.tokens):.4f}"
