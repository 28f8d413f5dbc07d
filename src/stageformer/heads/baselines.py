"""What predicts labels from the text alone: the rows that a head must beat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stageformer.errors import require
from stageformer.heads.examples import Labelled

Guesses = list[list[str]]
"""The labels of each sentence, or of its words."""


def baselines(train: Labelled, tested: Labelled) -> Mapping[str, Guesses]:
    """Return what each baseline predicts of the tested sentences, by name.

    ``majority``: the most frequent label, or of ``several`` those that more than half of the sentences have. For
    sentences: ``naive_bayes`` (multinomial, on counts of words; ``one`` alone) and ``tfidf_logistic_regression``, both
    of scikit-learn with its own settings. For words: ``most_frequent_tag``, that of the word in train.

    Raises:
        StageformerError: scikit-learn is not installed.
    """
    if train.kind == "tags":
        return {"majority": _majority_tag(train, tested), "most_frequent_tag": most_frequent_tag(train, tested)}
    return {"majority": _majority(train, tested), **_of_scikit_learn(train, tested)}


def _counts(labelled: Labelled) -> Counter[str]:
    return Counter(label for labels in labelled.labels for label in labels)


def _most_frequent(counts: Counter[str]) -> str:
    return min(counts, key=lambda label: (-counts[label], label))


def _majority(train: Labelled, tested: Labelled) -> Guesses:
    counts = _counts(train)
    if train.kind == "several":
        return [sorted(label for label, count in counts.items() if 2 * count > len(train))] * len(tested)
    return [[_most_frequent(counts)]] * len(tested)


def _majority_tag(train: Labelled, tested: Labelled) -> Guesses:
    most_frequent = _most_frequent(_counts(train))
    return [[most_frequent] * len(labels) for labels in tested.labels]


def most_frequent_tag(train: Labelled, tested: Labelled) -> Guesses:
    """Return the tag that each word has most often in train; a word that train has not, that of all words."""
    by_word: dict[str, Counter[str]] = {}
    for text, labels in zip(train.texts, train.labels, strict=True):
        for word, label in zip(text.split(), labels, strict=True):
            by_word.setdefault(word, Counter())[label] += 1
    best = {word: _most_frequent(counts) for word, counts in by_word.items()}
    otherwise = _most_frequent(_counts(train))
    return [[best.get(word, otherwise) for word in text.split()] for text in tested.texts]


def _of_scikit_learn(train: Labelled, tested: Labelled) -> Mapping[str, Guesses]:
    require("sklearn")
    from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MultiLabelBinarizer
    from threadpoolctl import threadpool_limits

    # One thread: the number of threads of BLAS must change no figure.
    with threadpool_limits(1):
        # max_iter: scikit-learn warns that its own 100 do not converge.
        regression = LogisticRegression(max_iter=1000)
        if train.kind == "several":
            names = MultiLabelBinarizer().fit(train.labels)
            several = make_pipeline(TfidfVectorizer(), OneVsRestClassifier(regression))
            found = several.fit(train.texts, names.transform(train.labels)).predict(tested.texts)
            return {"tfidf_logistic_regression": [list(labels) for labels in names.inverse_transform(found)]}
        wanted = [labels[0] for labels in train.labels]
        systems: dict[str, Any] = {
            "naive_bayes": make_pipeline(CountVectorizer(), MultinomialNB()),
            "tfidf_logistic_regression": make_pipeline(TfidfVectorizer(), regression),
        }
        return {name: _each(system.fit(train.texts, wanted).predict, tested) for name, system in systems.items()}


def _each(predict: Callable[[Sequence[str]], Any], tested: Labelled) -> Guesses:
    return [[str(label)] for label in predict(tested.texts)]
