"""Which vector a token gets from a source that knows words: that of the word that the token spells.

A token is looked up as the text that it stands for, without what its tokenizer marks it by; then in lower case. Special
tokens spell nothing, and neither does a part of a character.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stageformer.artifacts.tables import read_batches
from stageformer.errors import StageformerError
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from stageformer.vectors.base import VectorSource

SPELT, LOWER, COMPOSED, MEAN, RANDOM = "as spelt", "lower case", "subwords", "mean of words", "random"
ORIGINS = (SPELT, LOWER, COMPOSED, MEAN, RANDOM)
"""How a token may get its vector: that of its word, of the word in lower case, one that the source composes of
subwords, the mean of the words of train that contain it, or one by chance."""

_ANY = "a"
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Lookup:
    """What was found for the tokens of a vocabulary."""

    words: list[str]
    """``[V]``: what each token spells, ``""`` if that is no text"""
    origins: list[str]
    """``[V]``: one of :data:`ORIGINS` for each"""
    rows: list[int]
    """``[found]``: which tokens have a vector"""
    vectors: Tensor
    """``[found, E]``: theirs"""


def by_chance(vocabulary: Vocabulary) -> Lookup:
    """Return the lookup of a vocabulary for which nothing is looked up."""
    tokens = vocabulary.tokens
    return Lookup(["" for _ in tokens], [RANDOM for _ in tokens], [], torch.empty(0, 0))


def look_up(
    vocabulary: Vocabulary, tokenizer: Tokenizer, source: VectorSource, words_of_train: Mapping[str, int]
) -> Lookup:
    """Find the vector of each token.

    Args:
        vocabulary: its tokens
        tokenizer: that the tokens are of
        source: of the vectors
        words_of_train: how often each occurs; a token that is found nowhere gets the mean of those that contain it,
            weighted by count. Empty: it gets none.

    Raises:
        StageformerError: the source cannot be read, or knows no token.
    """
    spelt = [spelling(token, tokenizer) for token in vocabulary.tokens]
    wanted = dict.fromkeys(word for word in (*spelt, *words_of_train) if word)
    if not source.knows_every_text:
        wanted |= dict.fromkeys(word.lower() for word in wanted)
    asked = list(wanted)
    found = source.vectors(asked)
    listed = {asked[row]: place for place, row in enumerate(found.rows) if row not in found.composed}
    composed = {asked[row]: place for place, row in enumerate(found.rows) if row in found.composed}
    rows, chosen, origins = [], [], []
    lost = {}
    for row, word in enumerate(spelt):
        places = ((SPELT, listed.get(word)), (LOWER, listed.get(word.lower())), (COMPOSED, composed.get(word)))
        origin, place = next((each for each in places if each[1] is not None), (RANDOM, None))
        origins.append(origin)
        if place is not None:
            rows.append(row)
            chosen.append(found.vectors[place])
        elif vocabulary.tokens[row] not in SPECIAL_TOKENS:
            lost[vocabulary.tokens[row]] = row
    if not rows:
        raise StageformerError(f"{source.name}: holds none of the {len(vocabulary)} tokens of the vocabulary")
    for token, mean in _means(lost, tokenizer, words_of_train, {**composed, **listed}, found.vectors).items():
        rows.append(lost[token])
        chosen.append(mean)
        origins[lost[token]] = MEAN
    return Lookup(spelt, origins, rows, torch.stack(chosen))


def spelling(token: str, tokenizer: Tokenizer) -> str:
    """Return the text that a token stands for, without blanks around it; ``""`` if it is no text of its own."""
    if token in SPECIAL_TOKENS:
        return ""
    # Behind another token, since the first piece of a text keeps the mark of one that continues a word.
    alone, text = tokenizer.decode([_ANY]), tokenizer.decode([_ANY, token])
    text = text[len(alone) :].strip() if text.startswith(alone) else tokenizer.decode([token]).strip()
    return "" if "\ufffd" in text else text


def words_of(path: Path, columns: Sequence[str]) -> dict[str, int]:
    """Count the words (runs of letters and digits) in columns of a table of sentences, in alphabetical order.

    Raises:
        StageformerError: the table is missing or damaged.
    """
    counts: Counter[str] = Counter()
    for batch in read_batches(path, "sentences", list(columns)):
        for column in batch.columns:
            for text in column.to_pylist():
                counts.update(_WORD.findall(str(text)))
    return dict(sorted(counts.items()))


def _means(
    tokens: Mapping[str, int], tokenizer: Tokenizer, words: Mapping[str, int], places: Mapping[str, int], found: Tensor
) -> dict[str, Tensor]:
    """Return the mean of the known words that hold each token, weighted by count; a token in none of them has none."""
    if not tokens or not words:
        return {}
    sums: dict[str, Tensor] = {}
    weights: defaultdict[str, int] = defaultdict(int)
    for word, pieces in zip(words, tokenizer.encode_batch(list(words)), strict=True):
        place = places.get(word, places.get(word.lower()))
        if place is None:
            continue
        for token in dict.fromkeys(pieces):
            if token in tokens:
                weights[token] += words[word]
                vector = found[place].double() * words[word]
                sums[token] = sums[token] + vector if token in sums else vector
    return {token: (total / weights[token]).float() for token, total in sums.items()}
