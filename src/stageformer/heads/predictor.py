"""Text in, labels out, with a head of the pipeline or an exported one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from stageformer.batching.batches import batches_by_length
from stageformer.batching.sentences import Ints, Sentences
from stageformer.compute.device import prepare_cpu, thread_pool
from stageformer.compute.pool import Pool
from stageformer.errors import StageformerError
from stageformer.heads.examples import Words
from stageformer.heads.files import SavedHead, load_head
from stageformer.heads.head_folder import open_head_folder
from stageformer.heads.prediction import decide
from stageformer.memory.asker import Asker
from stageformer.memory.encoding import open_source
from stageformer.memory.sources.base import MemorySource
from stageformer.memory.store import DTYPES
from stageformer.text.normalisation import normalise
from stageformer.text.pair import load_tokenizers
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import Vocabulary, load_vocabularies
from stageformer.text.words import word_tokens

BATCH_TOKENS = 2048


class Labels(NamedTuple):
    """What a head says of a text."""

    words: list[str]
    """of the text, where each has a tag; else none"""
    labels: list[str]
    """one, several, or one for each word; of an empty text none"""
    probabilities: list[float]
    """of each label"""


@dataclass(frozen=True)
class Predictor:
    """A head with all that is between it and text. It computes on the CPU."""

    head: SavedHead
    tokenizer: Tokenizer
    vocabulary: Vocabulary
    source: MemorySource
    pool: Pool

    @staticmethod
    def load(folder: str | Path | None = None) -> Predictor:
        """Load a head; see :func:`~stageformer.heads.head_folder.open_head_folder` for the folder.

        Raises:
            StageformerError: a part is missing or damaged, or the head learned from the memory of another maker.
        """
        found = open_head_folder(None if folder is None else Path(folder))
        prepare_cpu(found.instruction_set, found.kernels)
        head = load_head(found.head)
        tokenizers = load_tokenizers(found.tokenizers)
        vocabularies = load_vocabularies(found.vocabularies, tokenizers.parts)
        device = torch.device("cpu")
        pad_id = vocabularies.source.pad_id
        asker = None if found.root is None else Asker(found.root, vocabularies.source)
        # The layers are those of the head, whatever encode.layers has become since.
        source = open_source(found.encoder, pad_id, device, vocabularies.parts, head.layers or "last", asker)
        if source.fingerprint != head.fingerprint or source.width != head.model.config.width:
            raise StageformerError(
                f"{found.head}: learned from the memory of the maker {head.fingerprint[:8]}, but {found.encoder} is "
                f"{source.fingerprint[:8]}; run `dvc repro heads/dvc.yaml`"
            )
        threads = found.threads or torch.get_num_threads()
        return Predictor(head, tokenizers.source, vocabularies.source, source, thread_pool(threads, pieces=threads))

    def predict(
        self, texts: Sequence[str], *, origin: str = "texts", first_line: int = 1, show_progress: bool = False
    ) -> list[Labels]:
        """Return the labels of texts, each of them alone.

        Args:
            texts: words of tags are what stands between white space.
            origin: what the texts are lines of, for messages.
            first_line: the number of the first of these lines.
            show_progress: show a progress bar where there is a terminal.

        Raises:
            StageformerError: a text is too long for the encoder, or its tokens do not tell where its words are.
        """
        cleaned = [normalise(text) for text in texts]
        rows = [row for row, text in enumerate(cleaned) if text]
        tokens = self.tokenizer.encode_batch([cleaned[row] for row in rows])
        ids = Sentences.of([[*self.vocabulary.to_ids(one), self.vocabulary.eos_id] for one in tokens])
        spans = [
            self._words(cleaned[row], one, f"{origin}, line {first_line + row}")
            for row, one in zip(rows, tokens, strict=True)
        ]

        def labels_of(batch: Ints) -> list[Labels]:
            try:
                return self._labels(ids.take(batch), [spans[place] for place in batch])
            except ValueError as error:  # a position beyond the table of the encoder
                longest = int(batch[np.argmax(ids.lengths[batch])])
                raise StageformerError(
                    f"{origin}, line {first_line + rows[longest]}: {ids.lengths[longest]} tokens with <eos>: {error}; "
                    "shorten it"
                ) from None

        self.source.prepare([ids])
        found = [Labels([], [], [])] * len(texts)
        batches = batches_by_length(ids.lengths, BATCH_TOKENS)
        with tqdm(total=len(rows), desc="predict", unit="text", disable=None if show_progress else True) as bar:
            for batch, labels in zip(batches, self.pool.map(labels_of, batches), strict=True):
                for place, one in zip(batch.tolist(), labels, strict=True):
                    words = cleaned[rows[place]].split() if self.head.kind == "tags" else []
                    found[rows[place]] = one._replace(words=words)
                bar.update(len(batch))
        return found

    def _words(self, text: str, tokens: Sequence[str], place: str) -> list[tuple[int, int]]:
        if self.head.kind != "tags":
            return []
        found = word_tokens(text, tokens, self.tokenizer)
        if found is None:
            raise StageformerError(
                f"{place}: the tokens of the tokenizer {self.tokenizer.kind!r} do not tell where the words of the text "
                f"are: {text!r:.80}"
            )
        return found

    @torch.no_grad()
    def _labels(self, sentences: Sentences, spans: Sequence[Sequence[tuple[int, int]]]) -> list[Labels]:
        memory, present = self.source.encode(sentences)
        # As it was when the head learned from it.
        memory = memory.masked_fill(~present.unsqueeze(-1), 0).to(DTYPES[self.head.dtype]).float()
        if self.head.kind != "tags":
            logits = self.head.model(memory, present)
            return [Labels([], *decide(self.head, logits[row : row + 1])) for row in range(len(sentences))]
        offsets = np.cumsum([0, *map(len, spans)])
        flat = np.array([span for of_text in spans for span in of_text])
        words = Words(offsets, flat[:, 0], flat[:, 1]).padded(np.arange(len(sentences)))
        logits = self.head.model(memory, present, words)
        parts = logits.split([len(of_text) for of_text in spans])
        return [Labels([], *decide(self.head, part)) for part in parts]
