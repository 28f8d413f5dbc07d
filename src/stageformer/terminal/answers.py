"""What `stageformer translate` prints: translations, scores, and the alignment as a picture of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stageformer.console.output import clean
from stageformer.decoding.sampling import Sampling
from stageformer.decoding.steps import search_steps
from stageformer.figures.traces import attention_weights
from stageformer.terminal.json_text import json_text
from stageformer.terminal.step_lines import step_lines
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
    steps: bool
    """print every step of the search before its translation"""
    indented: bool
    """for a reader's eye, not for another program"""
    as_json: bool = False
    """a line of JSON for each sentence"""

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
            if self.as_json:
                found_here = [self._as_dict(text, translation) for translation in translations]
                line = {"sentence": number, "source": text, "translations": found_here}
                yield json_text(line, indent=None)
                continue
            if not translations:
                yield ""
            elif self.steps:
                yield from self._steps(text)
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

    def _as_dict(self, text: str, translation: Translation) -> dict[str, Any]:
        tokens = self.translator.vocabularies.target.to_tokens(translation.ids)
        found = {"text": translation.text, "score": translation.score, "tokens": tokens, "ids": list(translation.ids)}
        if self.attention_width is None:
            return found
        said, source, weights = self._attention(text, translation)
        return found | {"attention": {"target": said, "source": source, "weights": weights.tolist()}}

    def _steps(self, text: str) -> Iterator[str]:
        translator, vocabulary = self.translator, self.translator.vocabularies.target
        (ids,) = source_ids([normalise(text)], translator.tokenizers.source, translator.vocabularies.source)
        prefix = translator.encode_prefix(self.prefix)
        beam_size = self.beam_size or (self.nbest and max(self.nbest, translator.params.beam_size))
        steps, _ = search_steps(
            translator.model, ids, vocabulary, translator.params, beam_size=beam_size, prefix=prefix
        )
        yield from step_lines(steps, vocabulary)

    def _drawing(self, text: str, translation: Translation, width: int) -> Iterator[str]:
        """Yield the weights of attention as a picture."""
        said, source, weights = self._attention(text, translation)
        yield ""
        yield from alignment_lines(said, source, weights, width)
        yield ""
        yield LEGEND
        yield ""

    def _attention(
        self, text: str, translation: Translation
    ) -> tuple[list[str], list[str], npt.NDArray[np.float32]]:
        """Return the mean over the heads of the cross-attention of the last layer, from the token that is said next.

        Returns:
            The tokens of the translation and of the source, and the weights ``[T, S]``.
        """
        tokenizers, vocabularies = self.translator.tokenizers, self.translator.vocabularies
        (ids,) = source_ids([normalise(text)], tokenizers.source, vocabularies.source)
        read = [vocabularies.target.bos_id, *translation.ids]
        weights = attention_weights(self.translator.model, ids, read).cross[-1].mean(0)  # [T, S]
        said = vocabularies.target.to_tokens([*translation.ids, vocabularies.target.eos_id])
        return said, vocabularies.source.to_tokens(ids), weights


def score_lines(scores: Sequence[Score | None], *, as_json: bool = False) -> Iterator[str]:
    """Yield the log-probability and the perplexity of each given translation; ``nan`` where there is none.

    Args:
        scores: of the translations.
        as_json: a line of JSON for each, null where there is none.
    """
    for number, score in enumerate(scores, start=1):
        log_probability = math.nan if score is None else score.log_probability
        perplexity = math.nan if score is None else math.exp(-score.log_probability / score.tokens)
        if as_json:
            line = {"sentence": number, "log_probability": log_probability, "perplexity": perplexity}
            yield json_text(line, indent=None)
        else:
            yield f"{log_probability:.4f}\t{perplexity:.4f}"
