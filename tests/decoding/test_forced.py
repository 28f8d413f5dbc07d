import math

import numpy as np
import pytest
import torch

from stageformer.decoding.forced import log_probabilities, perplexity

BOS, EOS = 1, 2


def test_log_probabilities_are_sums_over_the_tokens(model, sources, pool_of):
    generator = np.random.default_rng(5)
    targets = [[BOS, *generator.integers(4, 14, generator.integers(0, 9)).tolist(), EOS] for _ in sources.lengths]
    found = log_probabilities(model.decoder, sources, targets, 100, "test", pool_of(2))
    for row in (0, 7, 33):
        memory, present = sources.batch(np.array([row]))
        with torch.no_grad():
            hidden = model.decoder(torch.tensor([targets[row][:-1]]), memory, present)
            of_tokens = model.decoder.logits(hidden)[0].log_softmax(-1)
        expected = sum(float(of_tokens[step, token]) for step, token in enumerate(targets[row][1:]))
        assert found[row] == pytest.approx(expected, abs=1e-4)


def test_perplexity_counts_eos_and_not_bos():
    targets = [[BOS, 5, EOS], [BOS, 6, 7, 8, EOS]]
    assert perplexity(np.array([-2 * math.log(4), -4 * math.log(4)]), targets) == pytest.approx(4.0)
