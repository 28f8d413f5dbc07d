"""The arithmetic of a target token, by hand and against what was counted for Multi30k before."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.configurations import CONFIGURATIONS, Configuration
from benchmarks.flop import decoder_flop, encoder_flop, training_flop_of_target_token
from stageformer.batching.sentences import Ints

SHAPE = Configuration(d_model=2, d_ff=3, num_heads=1, num_layers=1)
SOURCE, TARGET = np.array([5]), np.array([4])


def product(m: int, k: int, n: int) -> int:
    return 2 * m * k * n


def test_encoder_by_hand() -> None:
    projections = 4 * product(5, 2, 2)
    attention = product(5, 2, 5) + product(5, 5, 2)
    feed_forward = product(5, 2, 3) + product(5, 3, 2)
    assert encoder_flop(SHAPE, SOURCE) == projections + attention + feed_forward


def test_decoder_by_hand() -> None:
    own = 4 * product(4, 2, 2) + product(4, 2, 4) + product(4, 4, 2)
    cross = 2 * product(4, 2, 2) + 2 * product(5, 2, 2) + product(4, 2, 5) + product(4, 5, 2)
    feed_forward = product(4, 2, 3) + product(4, 3, 2)
    assert decoder_flop(SHAPE, SOURCE, TARGET) == own + cross + feed_forward


def test_training_is_three_forward_passes() -> None:
    forward = encoder_flop(SHAPE, SOURCE) + decoder_flop(SHAPE, SOURCE, TARGET) + product(4, 2, 7)
    assert training_flop_of_target_token(SHAPE, SHAPE, 7, SOURCE, TARGET) == 3 * forward / 4


def test_saved_memory_needs_no_encoder_and_no_gradient() -> None:
    forward = decoder_flop(SHAPE, SOURCE, TARGET) + product(4, 2, 7)
    keys_and_values = 2 * product(5, 2, 2)
    assert training_flop_of_target_token(None, SHAPE, 7, SOURCE, TARGET) == (3 * forward - keys_and_values) / 4


def test_layers_and_sentences_add_up() -> None:
    twice = Configuration(d_model=2, d_ff=3, num_heads=1, num_layers=2)
    both: Ints = np.array([5, 5])
    assert encoder_flop(twice, both) == 4 * encoder_flop(SHAPE, SOURCE)


@pytest.mark.parametrize(("name", "expected"), [("tiny", 15.84e6), ("small", 48.64e6)])
def test_multi30k_in_joint_bpe_of_10_000(name: str, expected: float) -> None:
    # Sentences of 15 tokens on the average, on either side.
    lengths: Ints = np.array([11, 13, 15, 17, 19])
    shape = CONFIGURATIONS[name]
    assert training_flop_of_target_token(shape, shape, 10_000, lengths, lengths) == pytest.approx(expected, rel=0.005)
