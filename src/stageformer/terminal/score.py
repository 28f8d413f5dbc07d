"""Scores of the last run's translations, or of text files, each with the signature that says what kind it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stageformer.corpus.files import read_lines
from stageformer.errors import StageformerError
from stageformer.experiments.contents import METRICS, read_translations
from stageformer.experiments.experiment import WORKSPACE, Experiment
from stageformer.scoring.labels import LABELS, show_score
from stageformer.scoring.metrics import DIGITS, TokenizedBleu
from stageformer.scoring.settings import Settings
from stageformer.terminal.text import columns


@dataclass(frozen=True)
class Texts:
    """Translations and the references of each."""

    translations: list[str]
    references: list[list[str]]


def last_run(root: Path) -> tuple[Texts, Settings]:
    """Return the translations by beam search of the stage evaluate, and how it scored them.

    Raises:
        StageformerError: it has not run yet, or what it wrote is damaged.
    """
    run = Experiment.open(WORKSPACE, root)
    found = read_translations(run)
    texts = Texts([each.translation for each in found], [each.references for each in found])
    return texts, Settings.of_metrics(run.read_json(METRICS), METRICS)


def text_files(hypotheses: Path, references: Sequence[Path]) -> Texts:
    """Read plain or gzip text files, one sentence a line.

    An empty line of ``hypotheses`` is an empty translation; an empty line of a file of references is none.

    Raises:
        StageformerError: a file is missing or not UTF-8, the numbers of lines differ, or a sentence has no reference.
    """
    translations = _read(hypotheses)
    if not translations:
        raise StageformerError(f"{hypotheses}: an empty file; there is nothing to score")
    files = [_read(path) for path in references]
    for path, lines in zip(references, files, strict=True):
        if len(lines) != len(translations):
            raise StageformerError(
                f"{path}: {len(lines):,} lines, but {hypotheses} has {len(translations):,}; line by line, they must be "
                "of the same sentences"
            )
    rows = [[text for text in texts if text] for texts in zip(*files, strict=True)]
    if missing := [number for number, texts in enumerate(rows, start=1) if not texts]:
        raise StageformerError(f"{references[0]}, line {missing[0]}: empty, and no other file has a reference for it")
    return Texts(translations, rows)


@dataclass(frozen=True)
class Scored:
    """One score."""

    name: str
    """as in the metrics"""
    label: str
    value: float
    signature: str
    """"" for what sacreBLEU does not compute"""


@dataclass(frozen=True)
class Scores:
    """What some texts score."""

    sentences: int
    references: int
    scores: list[Scored]
    note: str
    """on what the scores may hide; "" for none"""

    def text(self) -> str:
        """Return a line for each score: name, value and signature."""
        head = f"{self.sentences:,} sentences, {self.references:,} references"
        cells = [[each.label, show_score(each.value), each.signature] for each in self.scores]
        return "\n".join([head, *columns(cells, right=[1]), *([f"  {self.note}"] if self.note else [])])

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        scores = {each.name: {"score": each.value, "signature": each.signature or None} for each in self.scores}
        return {"sentences": self.sentences, "references": self.references, "scores": scores}


def score_texts(texts: Texts, settings: Settings, *, tokenized_language: str | None = None) -> Scores:
    """Score translations.

    Args:
        texts: what is scored.
        settings: what kind of scores.
        tokenized_language: two-letter code: report BLEU of text tokenised by Moses as well, with its case unless the
            settings are without regard to case.

    Raises:
        StageformerError: a tokenisation is not to be had.
    """
    if settings.lowercase and tokenized_language is not None:
        settings = replace(settings, moses_language=tokenized_language)
    scorer = settings.scorer(texts.references)
    found, signatures = scorer.corpus(texts.translations), scorer.signatures
    scores = [
        Scored(name, label, found[name], signatures.get(f"{name}_signature", ""))
        for name, label in LABELS.items()
        if name in found
    ]
    if tokenized_language is not None and not settings.lowercase:
        tokenized = TokenizedBleu(texts.references, language=tokenized_language, lowercase=False)
        score = round(tokenized.corpus(texts.translations), DIGITS)
        scores.insert(1, Scored("bleu_tokenized", "BLEU tokenized, cased", score, tokenized.signature))
    note = "" if found["bleu"] else scorer.note(texts.translations)
    return Scores(len(texts.translations), sum(map(len, texts.references)), scores, note)


def _read(path: Path) -> list[str]:
    if not path.is_file():
        raise StageformerError(f"{path}: no such file")
    lines = []
    for number, line in enumerate(read_lines(path), start=1):
        try:
            lines.append(line.decode())
        except UnicodeDecodeError as error:
            raise StageformerError(
                f"{path}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8; convert the text"
            ) from None
    return lines
