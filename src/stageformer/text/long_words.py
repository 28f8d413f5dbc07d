"""Words of thousands of characters, such as a file in base64: what learns pieces of words sees them in parts.

Learners look at a word again for each merge, or for each character: the time for one of n characters grows like n^2.
No piece is as long as a part, so that only the pairs over the end of a part go uncounted. Words are cut whole all the
same: this is about learning alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tokenizers import pre_tokenizers

LONGEST = 1000
"""Characters of a part."""


def in_parts(pre_tokenizer: pre_tokenizers.PreTokenizer) -> pre_tokenizers.PreTokenizer:
    """Return what cuts as ``pre_tokenizer`` does, and then long words into parts."""
    return pre_tokenizers.Sequence([pre_tokenizer, pre_tokenizers.FixedLength(LONGEST)])


def count_parts(words: Mapping[str, int]) -> Mapping[str, int]:
    """Return the counts of words, those of a long one for each of its parts; the very same where no word is long."""
    if all(len(word) <= LONGEST for word in words):
        return words
    counts: Counter[str] = Counter()
    for word, count in words.items():
        for start in range(0, max(len(word), 1), LONGEST):
            counts[word[start : start + LONGEST]] += count
    return counts
