"""From the parameters of the group ``translate`` to a search: the one place where its options are bound.

The stages, the export and the translator search through these functions, so that they find the same translations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import Search
from stageformer.decoding.greedy import greedy
from stageformer.decoding.language_model import LanguageModel
from stageformer.decoding.rules import Rules
from stageformer.model.transformer import Decoder
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import Vocabulary


def rules_for(vocabulary: Vocabulary, params: Translate) -> Rules:
    """Return the rules of translations into the language of this vocabulary."""
    return Rules(
        bos_id=vocabulary.bos_id,
        eos_id=vocabulary.eos_id,
        forbidden_ids=(vocabulary.pad_id, vocabulary.bos_id, vocabulary.unk_id),
        max_length_ratio=params.max_length_ratio,
        max_length_offset=params.max_length_offset,
        min_length_ratio=params.min_length_ratio,
    )


def by_greedy(decoder: Decoder, rules: Rules, *, with_scores: bool = True) -> Search:
    """Return greedy search, see :func:`stageformer.decoding.greedy.greedy`."""
    return partial(greedy, decoder, rules=rules, with_scores=with_scores)


def by_beam(
    decoder: Decoder | LanguageModel,
    rules: Rules,
    params: Translate,
    *,
    beam_size: int | None = None,
    nbest: int = 1,
    watch: Callable[[Tensor, Tensor, Tensor], None] | None = None,
) -> Search:
    """Return beam search, see :func:`stageformer.decoding.beam.beam_search`.

    Args:
        decoder: in eval mode
        rules: lengths and forbidden tokens
        params: of the search
        beam_size: instead of that of the parameters; None: theirs, and at least ``nbest``
        nbest: translations of each sentence
        watch: is shown the beam at every step, see there
    """
    return partial(
        beam_search,
        decoder,
        rules=rules,
        beam_size=beam_size or max(params.beam_size, nbest),
        length_penalty=params.length_penalty,
        length_normalisation=params.length_normalisation,
        early_stopping=params.early_stopping,
        nbest=nbest,
        watch=watch,
    )
