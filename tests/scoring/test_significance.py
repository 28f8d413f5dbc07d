import random

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from stageformer.scoring.metrics import Scorer, columns
from stageformer.scoring.significance import NUM_SAMPLES, paired_bootstrap, resample

WORDS = "der die das ein eine Hund Katze Haus läuft sitzt schläft groß klein rot unter auf neben und".split()


def sentences(number, seed):
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randint(3, 12))) for _ in range(number)]


REFERENCES = [[text] if row % 3 else [text, f"{text} heute"] for row, text in enumerate(sentences(80, seed=0))]


def noisy(share, seed):
    """Leave out this share of the words of the references."""
    generator = random.Random(seed)
    return [" ".join(word for word in texts[0].split() if generator.random() > share) for texts in REFERENCES]


BETTER, WORSE, AS_GOOD = noisy(0.1, 1), noisy(0.3, 2), noisy(0.1, 3)


@pytest.fixture(scope="module")
def statistics():
    return Scorer(REFERENCES, lowercase=False, bleu_tokenize="13a", phonemes=True).statistics()


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrf", CHRF())])
@pytest.mark.parametrize("second", [WORSE, AS_GOOD])
def test_samples_are_those_of_sacrebleu(statistics, name, metric, second):
    systems = [("first", BETTER), ("second", second)]
    _, found = PairedTest(systems, {name: metric}, columns(REFERENCES), test_type="bs", n_samples=NUM_SAMPLES)()
    ((theirs, result),) = (scores for key, scores in found.items() if key != "System")
    scores = [
        np.array([statistics[name].score(totals) for totals in resample(statistics[name].counts(texts))])
        for texts in (BETTER, second)
    ]
    assert result.mean == pytest.approx(scores[1].mean(), rel=1e-4)
    low, high = np.sort(scores[1])[[NUM_SAMPLES // 40, -NUM_SAMPLES // 40 - 1]]
    assert result.ci == pytest.approx((high - low) / 2, rel=1e-3)
    # Their p, of one direction, from our samples.
    sizes = np.abs(scores[1] - scores[0])
    seen = abs(result.score - theirs.score)
    assert result.p_value == pytest.approx((np.sum(sizes - sizes.mean() > seen) + 1) / (NUM_SAMPLES + 1), abs=0.002)
    ours = paired_bootstrap(BETTER, second, statistics[name])
    assert ours.difference == pytest.approx(result.score - theirs.score)


def test_a_system_does_not_differ_from_itself(statistics):
    for statistic in statistics.values():
        found = paired_bootstrap(BETTER, BETTER, statistic)
        assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)


def test_a_clear_difference_is_significant_in_either_direction(statistics):
    for name, statistic in statistics.items():
        there, back = paired_bootstrap(WORSE, BETTER, statistic), paired_bootstrap(BETTER, WORSE, statistic)
        assert there.p == back.p < 0.01, name
        assert there.difference == -back.difference
        assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
        assert there.low < there.difference < there.high
        better = there.high < 0 if name in ("per", "wer") else there.low > 0
        assert better, name


def test_equally_good_systems_do_not_differ(statistics):
    for name in ("bleu", "chrf", "per"):
        found = paired_bootstrap(BETTER, AS_GOOD, statistics[name])
        assert found.p > 0.05
        assert found.low < 0 < found.high


def test_the_interval_agrees_with_that_of_a_mean(statistics):
    # WER is a mean of ones and zeros, whose differences have a known standard error.
    wrong = [statistics["wer"].counts(texts)[:, 2] for texts in (WORSE, BETTER)]
    difference = 100 * (wrong[1] - wrong[0])
    error = difference.std() / len(difference) ** 0.5
    found = paired_bootstrap(WORSE, BETTER, statistics["wer"])
    assert found.difference == pytest.approx(difference.mean())
    assert (found.low, found.high) == pytest.approx(
        (difference.mean() - 1.96 * error, difference.mean() + 1.96 * error), abs=0.3 * error
    )


def test_the_same_systems_give_the_same_numbers(statistics):
    assert paired_bootstrap(BETTER, WORSE, statistics["bleu"]) == paired_bootstrap(BETTER, WORSE, statistics["bleu"])
