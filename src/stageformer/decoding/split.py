"""A whole split by both searches, and the probability of its targets: the work of the stage ``translate``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stageformer.artifacts.header import rerun_hint
from stageformer.compute.device import make_pool
from stageformer.compute.pool import Pool
from stageformer.console.output import say
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.forced import Floats, log_probabilities, perplexity
from stageformer.decoding.rules import Hypothesis
from stageformer.decoding.search import by_beam, by_greedy, rules_for
from stageformer.errors import StageformerError
from stageformer.memory.memory import Memory
from stageformer.model.transformer import Decoder
from stageformer.params.compute import Compute
from stageformer.params.translate import Translate
from stageformer.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class Hypotheses:
    """What was found for each sentence of a split; all sequences are of one length."""

    beam: Sequence[Hypothesis]
    """the best of beam search"""
    greedy: Sequence[Hypothesis]
    """without scores"""
    target_log_probabilities: Floats
    """of the targets with <eos>, natural logarithm"""
    perplexity: float
    """of the targets"""

    def table(self, ids: Sequence[int]) -> dict[str, Any]:
        """Return the columns of the table of kind ``hypotheses``, for sentences of these ids."""
        return {
            "id": ids,
            "beam_ids": [hypothesis.ids for hypothesis in self.beam],
            "beam_score": [hypothesis.score for hypothesis in self.beam],
            "beam_log_probability": [hypothesis.log_probability for hypothesis in self.beam],
            "greedy_ids": [hypothesis.ids for hypothesis in self.greedy],
            "target_log_probability": self.target_log_probabilities,
        }

    def metrics(self) -> dict[str, float]:
        """Return what the stage reports; tokens are without <eos>."""
        return {
            "sentences": len(self.beam),
            "beam_tokens": sum(len(hypothesis.ids) for hypothesis in self.beam),
            "greedy_tokens": sum(len(hypothesis.ids) for hypothesis in self.greedy),
            "perplexity": round(self.perplexity, 4),
        }


def translate_split(
    decoder: Decoder,
    memory: Memory,
    target_ids: Sequence[Sequence[int]],
    vocabulary: Vocabulary,
    params: Translate,
    compute: Compute,
) -> Hypotheses:
    """Translate sentences by greedy and by beam search, and score their targets. Progress and speed go to stderr.

    Args:
        decoder: in eval mode
        memory: of the sentences, at least one
        target_ids: the ids of the target of each sentence, from <bos> to <eos>
        vocabulary: of the targets
        params: how to search
        compute: how many threads search batches of their own; their number changes no bit
    """
    rules = rules_for(vocabulary, params)
    pool = make_pool(compute, pieces=compute.threads)
    greedy = _best(
        memory, by_greedy(decoder, rules, with_scores=False), params.batch_tokens, "greedy search", pool
    )
    beam = _best(memory, by_beam(decoder, rules, params), params.batch_tokens, f"beam of {params.beam_size}", pool)
    of_targets = log_probabilities(
        decoder, memory, target_ids, params.batch_tokens, "translate: perplexity", pool
    )
    pool.close()
    return Hypotheses(beam, greedy, of_targets, perplexity(of_targets, target_ids))


def _best(memory: Memory, search: Search, batch_tokens: int, title: str, pool: Pool) -> list[Hypothesis]:
    """Return the best translation of each sentence, and print how fast they were found."""
    started = time.perf_counter()
    found = translate_corpus(memory, search, batch_tokens, f"translate: {title}", pool)
    say(f"translate: {title}: {len(found) / (time.perf_counter() - started):,.0f} sentences/s")
    if not all(found):
        raise StageformerError(
            f"translate: {title}: a sentence has no translation, since numbers of the memory or the model are not "
            f"finite (NaN or infinite){rerun_hint('memory')}"
        )
    return [best for best, *_ in found]
