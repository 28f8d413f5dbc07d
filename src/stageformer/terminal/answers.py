"""What ``stageformer translate`` prints: the lines that answer each sentence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stageformer.decoding.sampling import Sampling
from stageformer.figures.attention_weights import attention_weights
from stageformer.terminal.alignment import LEGEND, alignment_lines
from stageformer.text.conversion import source_ids
from stageformer.text.normalisation import normalise
from stageformer.translator.translator import Score, Translation, Translator


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
