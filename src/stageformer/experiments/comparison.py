"""Two experiments side by side on one test set: is the second better, for which sentences, and which changed most?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from stageformer.errors import StageformerError
from stageformer.experiments.contents import METRICS, changes_since_commit, read_parameters, read_translations
from stageformer.experiments.experiment import Experiment
from stageformer.params import differences
from stageformer.params.differences import Difference
from stageformer.scoring.buckets import length_bucket, rows_by_bucket
from stageformer.scoring.metrics import DIGITS
from stageformer.scoring.settings import Settings
from stageformer.scoring.significance import NUM_SAMPLES, SEED, BootstrapResult, paired_bootstrap
from stageformer.scoring.translated import Translated


@dataclass(frozen=True)
class Bucket:
    """Some sentences, and how each experiment translated them; pairs are of the first and the second."""

    name: str
    sentences: int
    bleu: tuple[float, float]
    chrf: tuple[float, float]


@dataclass(frozen=True)
class Change:
    """A sentence that the two experiments translated differently; pairs are of the first and the second."""

    id: int
    source: str
    references: list[str]
    translations: tuple[str, str]
    chrf: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What became of one test set in two experiments, whatever was learned; pairs are of the first and the second."""

    names: tuple[str, str]
    split: str
    sentences: int
    parameters: list[Difference]
    """what differs: the value in the first -> the value in the second"""
    since_commit: tuple[tuple[Difference, ...] | None, tuple[Difference, ...] | None]
    """what each differs in from the last commit, if it is a folder, such as the workspace; None for a revision"""
    differences: dict[str, BootstrapResult]
    """by name of the score"""

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values for JSON, scores rounded as in the metrics, and what test gave the p."""
        test = {"test": "paired bootstrap resampling", "samples": NUM_SAMPLES, "seed": SEED}
        rounded: dict[str, Any] = _rounded(dataclasses.asdict(self) | test)
        return rounded | {
            "parameters": [difference.as_dict() for difference in self.parameters],
            "since_commit": [
                None if changes is None else [difference.as_dict() for difference in changes]
                for changes in self.since_commit
            ],
        }


@dataclass(frozen=True, kw_only=True)
class Comparison(Compared):
    """What two experiments made of one test set: their translations."""

    references: int
    same_translations: int
    """sentences that both translated in the same way"""
    by_length: list[Bucket]
    """by words of the source"""
    by_rarest_word: list[Bucket]
    """by occurrences of the rarest word of the source in the training text of the first experiment"""
    changed: list[Change]
    """those whose chrF changed most, in either direction"""


def compare(first: Experiment, second: Experiment, *, num_changed: int) -> Comparison:
    """Compare the translations by beam search of two experiments, scored as the second one was.

    Args:
        first: the baseline.
        second: what is compared with it.
        num_changed: how many of the sentences that changed most to return.

    Raises:
        StageformerError: an experiment has no translations, or they are not those of the same sentences.
    """
    metrics = second.read_json(METRICS)
    settings = Settings.of_metrics(metrics, f"{second.name}: {METRICS}")
    tables = [{row.id: row for row in read_translations(experiment)} for experiment in (first, second)]
    check_same_sentences(tables[0], tables[1], (first.name, second.name))
    ids = list(tables[0])
    sources = [tables[0][id_].source for id_ in ids]
    references = [tables[0][id_].references for id_ in ids]
    texts = [[table[id_].translation for id_ in ids] for table in tables]

    scorer = settings.scorer(references)
    results = {
        name: paired_bootstrap(texts[0], texts[1], statistic) for name, statistic in scorer.statistics().items()
    }
    in_buckets = partial(_score_buckets, texts=texts, references=references, settings=settings)
    chrf = [[score.chrf for score in scorer.sentences(system)] for system in texts]
    changes = [
        Change(id_, sources[row], references[row], (texts[0][row], texts[1][row]), (chrf[0][row], chrf[1][row]))
        for row, id_ in enumerate(ids)
        if chrf[0][row] != chrf[1][row]
    ]
    changes.sort(key=lambda change: (-abs(change.chrf[1] - change.chrf[0]), change.id))
    return Comparison(
        names=(first.name, second.name),
        split=str(metrics.get("split")),
        sentences=len(ids),
        references=sum(map(len, references)),
        same_translations=sum(map(str.__eq__, *texts)),
        parameters=differences.compare(read_parameters(first), read_parameters(second)),
        since_commit=(changes_since_commit(first), changes_since_commit(second)),
        differences=results,
        by_length=in_buckets(list(map(length_bucket, sources))),
        by_rarest_word=in_buckets([row.rarest_word for row in tables[0].values()]),
        changed=changes[:num_changed],
    )


def check_same_sentences(
    first: Mapping[int, Translated], second: Mapping[int, Translated], names: tuple[str, str]
) -> None:
    """Raise StageformerError unless two experiments translated the same sentences, with the same references.

    Args:
        first: by id of the sentence.
        second: likewise.
        names: of the two, for the message.
    """
    remedy = "; compare experiments with the same test set: equal parameters ingest.* and translate.split"
    for here, there, name in ((first, second, names[0]), (second, first, names[1])):
        if alone := [id_ for id_ in here if id_ not in there]:
            raise StageformerError(
                f"{names[0]} and {names[1]} translated different sentences: {len(alone):,} of {len(here):,} are only "
                f"in {name}, the first with id {alone[0]}: {here[alone[0]].source!r}{remedy}"
            )
    for what in ("source", "references"):
        if unlike := [id_ for id_ in first if getattr(first[id_], what) != getattr(second[id_], what)]:
            example = unlike[0]
            here, there = (getattr(rows[example], what) for rows in (first, second))
            raise StageformerError(
                f"{names[0]} and {names[1]} have different test sets: {len(unlike):,} of {len(first):,} sentences have "
                f"another {what.removesuffix('s')}, the first with id {example}: {here!r} and {there!r}{remedy}"
            )


def _score_buckets(
    names: Sequence[str],
    *,
    texts: Sequence[Sequence[str]],
    references: Sequence[Sequence[str]],
    settings: Settings,
) -> list[Bucket]:
    found = []
    for name, rows in rows_by_bucket(names).items():
        scorer = settings.scorer([references[row] for row in rows])
        first, second = (scorer.brief([system[row] for row in rows]) for system in texts)
        found.append(
            Bucket(name, len(rows), bleu=(first["bleu"], second["bleu"]), chrf=(first["chrf"], second["chrf"]))
        )
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return [_rounded(item) for item in value] if isinstance(value, list | tuple) else value
