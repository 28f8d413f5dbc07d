"""A folder of Hugging Face's ``transformers`` with the model and its tokenizer, and translation from that folder.

``AutoModelForSeq2SeqLM`` and ``AutoTokenizer`` load it without code of ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stageformer.batching.batches import batches_by_length
from stageformer.errors import require
from stageformer.export.transformers_models import to_transformers
from stageformer.export.transformers_tokenizer import transformers_tokenizer
from stageformer.model.transformer import Transformer
from stageformer.text.pair import Tokenizers
from stageformer.text.vocabulary import Vocabularies

TARGET_TOKENIZER = "target_tokenizer"
"""The folder with the tokenizer of the target, where it is another one than that of the source."""


def save_huggingface(
    model: Transformer, tokenizers: Tokenizers, vocabularies: Vocabularies, folder: Path
) -> None:
    """Write model and tokenizer into ``folder``; the same model gives the same bytes.

    Args:
        model: in eval mode
        tokenizers: those of the model
        vocabularies: those of the model
        folder: created if need be

    Raises:
        StageformerError: as :func:`to_transformers`.
    """
    source = transformers_tokenizer(tokenizers.source, vocabularies.source)
    copy = to_transformers(model, vocabularies.target, range(len(vocabularies.source), source.entries))
    _hide_progress()
    copy.save_pretrained(folder)
    source.save(folder, model.config.source.max_length)
    if not vocabularies.shared:
        target = transformers_tokenizer(tokenizers.target, vocabularies.target)
        target.save(folder / TARGET_TOKENIZER, model.config.target.max_length)


class HuggingFaceEngine:
    """An exported folder at work: greedy search from text to text by ``transformers`` alone.

    Args:
        folder: what :func:`save_huggingface` wrote
    """

    def __init__(self, folder: Path) -> None:
        require("transformers")
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        _hide_progress()
        target = folder / TARGET_TOKENIZER
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._target_tokenizer: Any = AutoTokenizer.from_pretrained(target) if target.exists() else self._tokenizer
        self._model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

    def source_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, <eos> at the end."""
        ids: list[list[int]] = self._tokenizer(list(texts)).input_ids
        return ids

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of a translation."""
        text: str = self._target_tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    @torch.inference_mode()
    def translate(
        self, source_ids: Sequence[Sequence[int]], *, max_lengths: Sequence[int], batch_tokens: int
    ) -> list[list[int]]:
        """Translate sentences by greedy search.

        Args:
            source_ids: what :meth:`source_ids` returned
            max_lengths: the largest number of tokens of each translation, <eos> included, at least 1
            batch_tokens: largest number of source tokens of a batch, padding included

        Returns:
            The ids of each translation, without special tokens.
        """
        found: dict[int, list[int]] = {}
        for rows in batches_by_length(np.array([len(ids) for ids in source_ids]), batch_tokens):
            batch = self._tokenizer.pad({"input_ids": [source_ids[row] for row in rows]}, return_tensors="pt")
            limits = [max_lengths[row] for row in rows]
            for row, limit, ids in zip(
                rows.tolist(), limits, self._model.generate(**batch, max_new_tokens=max(limits)).tolist(), strict=True
            ):
                # The batch continues until its longest translation may end; ours ends each at its own limit.
                found[row] = [index for index in ids if index > self._tokenizer.unk_token_id][: limit - 1]
        return [found[row] for row in range(len(source_ids))]


def _hide_progress() -> None:
    """Files of this size are there at once."""
    from transformers.utils import logging

    logging.disable_progress_bar()
