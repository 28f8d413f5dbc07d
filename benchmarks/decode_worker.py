"""One system that decodes, in a process of its own.

``python -m benchmarks.decode_worker JOB``, with a :class:`~benchmarks.decode.DecodeJob` as JSON, prints what
:func:`run` returns. ``benchmarks.decode`` starts it; nobody else needs to.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.configurations import CONFIGURATIONS, MAX_LENGTH, parameters
from benchmarks.decode import DecodeJob, is_installed
from benchmarks.machine import describe
from stageformer.artifacts.tables import read_table
from stageformer.batching.batches import batches_by_length
from stageformer.batching.sentences import Sentences
from stageformer.building.model_files import load_model, save_model
from stageformer.compute.device import make_pool, prepare
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import Search, translate_corpus
from stageformer.decoding.greedy import greedy
from stageformer.decoding.rules import Rules
from stageformer.memory.memory import EncodedMemory
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
from stageformer.model.transformer import Transformer
from stageformer.params.base import parse
from stageformer.params.compute import Compute
from stageformer.text.vocabulary import BOS, PAD, Vocabularies, Vocabulary, load_vocabularies

LENGTH = 16
"""Tokens of every output, <eos> included."""
BEAM_SIZE = 5
FORBIDDEN_IDS = (Vocabulary.pad_id, Vocabulary.bos_id, Vocabulary.unk_id)
Ids = list[list[int]]
Translate = Callable[[Ids, int], Ids]
"""From the ids of sources, <eos> included, and a budget of tokens to the ids of translations, without <eos>."""


def convert(job: DecodeJob, vocabularies: Vocabularies) -> None:
    """Write a model with weights from a seed, in the format of every system that is installed."""
    torch.manual_seed(1)
    shape, folder = CONFIGURATIONS["tiny"], Path(job.models)
    side = EmbeddingConfig(len(vocabularies.target), shape.d_model, max_length=MAX_LENGTH)
    stack = StackConfig(shape.d_model, shape.num_layers, shape.num_heads, shape.d_ff)
    model = Transformer(TransformerConfig(side, side, stack, stack, share_embeddings=True)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("in_projection.weight"):
                weight.mul_(2)  # sharper attention: translations that depend on their sources
    save_model(folder / "model.pt", "model", model, {})
    if is_installed("marian"):
        from stageformer.export.transformers_models import to_marian

        to_marian(
            model, bos_id=Vocabulary.bos_id, eos_id=Vocabulary.eos_id, pad_id=Vocabulary.pad_id,
            forbidden_ids=FORBIDDEN_IDS,
        ).save_pretrained(folder / "marian")  # fmt: skip
    if is_installed("ctranslate2"):
        from stageformer.export.ctranslate2_model import save_ctranslate2

        save_ctranslate2(model, vocabularies, folder / "ctranslate2", quantization=None)


def stageformer(job: DecodeJob, _: Vocabularies) -> Translate:
    """Make our search, as the stage ``translate`` does."""
    params = parameters(CONFIGURATIONS["tiny"], {"compute.threads": job.threads})
    compute = parse(Compute, params["compute"], "compute")
    prepare(compute)
    model, _metadata = load_model(Path(job.models) / "model.pt")
    rules = Rules(
        Vocabulary.bos_id, Vocabulary.eos_id, FORBIDDEN_IDS, max_length_ratio=0.0, max_length_offset=LENGTH,
        min_length_ratio=LENGTH,
    )  # fmt: skip
    search: Search = partial(greedy, model.decoder, rules=rules, with_scores=False)
    if job.mode != "greedy":
        search = partial(beam_search, model.decoder, rules=rules, beam_size=BEAM_SIZE, length_penalty=1.0)
    pool = make_pool(compute, pieces=compute.threads)

    def translate(source_ids: Ids, batch_tokens: int) -> Ids:
        memory = EncodedMemory(EncoderSource(model.encoder, Vocabulary.pad_id), Sentences.of(source_ids))
        return [best.ids for best, *_ in translate_corpus(memory, search, batch_tokens, None, pool)]

    return translate


def marian(job: DecodeJob, _: Vocabularies) -> Translate:
    """Make ``generate`` of the converted model."""
    from transformers import LogitsProcessor, LogitsProcessorList, MarianMTModel

    class EndAtTheLimit(LogitsProcessor):  # type: ignore[misc]  # transformers has no types here
        """Allow nothing but <eos> as the last token, with its own probability, as our search does."""

        def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
            if input_ids.size(1) < LENGTH:
                return scores
            ended = torch.full_like(scores, -torch.inf)
            ended[:, Vocabulary.eos_id] = scores[:, Vocabulary.eos_id]
            return ended

    model = MarianMTModel.from_pretrained(Path(job.models) / "marian").eval()
    model.generation_config.forced_eos_token_id = None  # would count as certain
    options = {
        "num_beams": 1 if job.mode == "greedy" else BEAM_SIZE,
        "do_sample": False,
        "use_cache": True,
        "min_new_tokens": LENGTH - 1,
        "max_new_tokens": LENGTH,
        "logits_processor": LogitsProcessorList([EndAtTheLimit()]),
    }

    @torch.inference_mode()
    def translate(source_ids: Ids, batch_tokens: int) -> Ids:
        found: dict[int, list[int]] = {}
        for rows in batches_by_length(np.array([len(ids) for ids in source_ids]), batch_tokens):
            ids, present = Sentences.of(source_ids[row] for row in rows).padded(Vocabulary.pad_id)
            output = model.generate(input_ids=ids, attention_mask=present.long(), **options)
            # The first token is <bos>, the last <eos>.
            found.update(zip(rows.tolist(), output[:, 1:LENGTH].tolist(), strict=True))
        return [found[row] for row in range(len(found))]

    return translate


def ctranslate2(job: DecodeJob, vocabularies: Vocabularies) -> Translate:
    """Make the translator of CTranslate2, with a thread for each batch.

    It has no way to end with <eos> at the limit, and writes a token there instead, which is not compared.
    """
    import ctranslate2

    translator = ctranslate2.Translator(
        str(Path(job.models) / "ctranslate2"), device="cpu", inter_threads=job.threads, intra_threads=1
    )
    options = {
        "beam_size": 1 if job.mode == "greedy" else BEAM_SIZE,
        "min_decoding_length": LENGTH,
        "max_decoding_length": LENGTH,
        "disable_unk": True,
        "suppress_sequences": [[PAD], [BOS]],
        "return_scores": False,
    }

    def translate(source_ids: Ids, batch_tokens: int) -> Ids:
        tokens = [vocabularies.source.to_tokens(ids) for ids in source_ids]
        # It sorts by length itself.
        found = translator.translate_batch(tokens, max_batch_size=batch_tokens, batch_type="tokens", **options)
        return [vocabularies.target.to_ids(result.hypotheses[0])[: LENGTH - 1] for result in found]

    return translate


SYSTEMS: dict[str, Callable[[DecodeJob, Vocabularies], Translate]] = {
    "stageformer": stageformer,
    "marian": marian,
    "ctranslate2": ctranslate2,
}


def run(job: DecodeJob) -> dict[str, Any]:
    """Do a job and return its figures: of one budget the speed and the outputs, of several the seconds of each."""
    torch.set_num_threads(job.threads)
    if job.system == "machine":
        return describe()
    data = Path(job.data)
    vocabularies = load_vocabularies(data / "vocab")
    if job.system == "convert":
        convert(job, vocabularies)
        return {}
    table = read_table(data / "vocab/test.parquet", "ids")
    source_ids: Ids = table.slice(0, job.sentences).to_pydict()["source_ids"]
    translate = SYSTEMS[job.system](job, vocabularies)
    ids = translate(source_ids, job.batch_tokens[0])
    seconds = {}
    for batch_tokens in job.batch_tokens:
        started = time.perf_counter()
        translate(source_ids, batch_tokens)
        seconds[batch_tokens] = time.perf_counter() - started
    if len(seconds) > 1:
        return {"seconds": seconds}
    return {"sentences_per_second": len(source_ids) / seconds[job.batch_tokens[0]], "ids": ids}


if __name__ == "__main__":
    job = json.loads(sys.argv[1])
    print(json.dumps(run(DecodeJob(**job | {"batch_tokens": tuple(job["batch_tokens"])}))))
