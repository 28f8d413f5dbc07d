"""Fingerprints against a set of the texts themselves."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from stageformer.corpus.hashes import FINGERPRINT_BYTES, FingerprintSet, fingerprint

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)


def test_fingerprints_keep_texts_apart() -> None:
    assert fingerprint("a", "bc") != fingerprint("ab", "c")
    assert fingerprint("a\0", "b") != fingerprint("a", "\0b")
    assert len(fingerprint("a")) == FINGERPRINT_BYTES


@given(st.lists(TEXTS), st.lists(TEXTS))
def test_a_set_like_any_other(added: list[str], others: list[str]) -> None:
    expected: set[str] = set()
    found = FingerprintSet()
    for text in added:
        assert found.add(fingerprint(text)) == (text not in expected)
        expected.add(text)
    assert len(found) == len(expected)
    for text in added + others:
        assert (fingerprint(text) in found) == (text in expected)


def in_one_bucket(number: int) -> bytes:
    return bytes(2) + fingerprint(str(number))[2:]


def test_one_bucket_holds_many() -> None:
    found = FingerprintSet()
    assert all(found.add(in_one_bucket(number)) for number in range(3000))
    assert not any(found.add(in_one_bucket(number)) for number in range(3000))
    assert len(found) == 3000
    assert in_one_bucket(3000) not in found


def test_an_element_costs_a_few_bytes() -> None:
    """Beyond the buckets themselves, of which there are never more than 8,192."""
    found = FingerprintSet()
    tracemalloc.start()
    try:
        for number in range(4000):
            found.add(bytes([0, 8 * (number % 16)]) + fingerprint(str(number))[2:])
        bytes_each = tracemalloc.get_traced_memory()[0] / 4000
    finally:
        tracemalloc.stop()
    assert 8 <= bytes_each < 12
