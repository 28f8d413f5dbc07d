"""What a probe learns from and is tested on: words with their tags, or texts with their label."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stageformer.artifacts.tables import read_table
from stageformer.batching.pairs import read_pairs
from stageformer.batching.sentences import Ints, Sentences
from stageformer.errors import StageformerError
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import Vocabularies
from stageformer.text.words import word_tokens


@dataclass(frozen=True)
class Examples:
    """Examples of a split, in the order of its sentences. N of them are in B sentences."""

    sentences: Sentences
    """B sources, <eos> at the end of each"""
    sentence: Ints
    """``[N]``: the sentence of each example"""
    token: Ints
    """``[N]``: the token that stands for a word, its first piece; -1: the mean of all tokens of the text"""
    labels: list[str]
    """``[N]``"""
    types: list[str]
    """``[N]``: what the control task gives one random label to, wherever it occurs: the word, or the text's first"""


def read_examples(
    data: Path, split: str, tokenizer: Tokenizer, vocabularies: Vocabularies, most: int, seed: int
) -> Examples:
    """Read the labelled examples of a split, from sentences drawn by chance.

    Args:
        data: the folder of the stages' outputs.
        split: ``train``, ``valid`` or ``test``.
        tokenizer: of the sources.
        vocabularies: of the ids.
        most: no further sentence is taken when there are so many examples.
        seed: of the choice.

    Raises:
        StageformerError: the corpus has no labels of one kind a word or a text, an artifact is missing or damaged, or
            the tokenizer does not keep where words are.
    """
    labels = read_table(data / "ingest/labels" / f"{split}.parquet", "labels").to_pydict()
    texts = read_table(data / "ingest" / f"{split}.parquet", "sentences", ["id", "source"]).to_pydict()
    tokens = read_table(data / "tokenize" / f"{split}.parquet", "tokens", ["id", "source_tokens"]).to_pydict()
    pairs = read_pairs(data / "vocab" / f"{split}.parquet", vocabularies)
    if not labels["id"]:
        raise StageformerError(f"{split}: no sentence has labels; choose a corpus with labels (ingest.labels)")
    if not labels["id"] == texts["id"] == tokens["id"] == pairs.ids.tolist():
        raise StageformerError(f"{data}: labels, texts and ids of {split} are of different runs; run `dvc repro vocab`")
    per_word = any(len(of_text) > 1 for of_text in labels["labels"])
    taken: list[int] = []
    found: list[tuple[int, int, str, str]] = []
    for row in np.random.default_rng(seed).permutation(len(texts["id"])).tolist():
        if len(found) >= most:
            break
        text, of_text = texts["source"][row], labels["labels"][row]
        words = text.split()
        if not per_word and len(of_text) == 1:
            examples = [(-1, of_text[0], words[0])] if words else []
        elif per_word and len(of_text) == len(words):
            spans = word_tokens(text, tokens["source_tokens"][row], tokenizer)
            pieces = [first for first, _ in spans or []]
            examples = list(zip(pieces, of_text, words, strict=True)) if pieces else []
        else:
            raise StageformerError(
                f"{split}: sentence {texts['id'][row]} has {len(of_text)} labels for {len(words)} words; a probe needs "
                "one label, or a tag for each word (ingest.labels one or tags)"
            )
        if examples:
            found += [(len(taken), *example) for example in examples]
            taken.append(row)
    if not found:
        raise StageformerError(
            f"{split}: the tokenizer {tokenizer.kind!r} does not keep where the words of a text are; take another"
        )
    sentence, token, all_labels, types = zip(*found, strict=True)
    return Examples(
        pairs.source.take(np.array(taken)), np.array(sentence), np.array(token), list(all_labels), list(types)
    )
