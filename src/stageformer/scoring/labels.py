"""The names of the scores as readers see them."""

from __future__ import annotations

LABELS = {
    "bleu": "BLEU",
    "bleu_tokenized_lowercased": "BLEU tokenized, lower-cased",
    "chrf": "chrF",
    "ter": "TER",
    "cer": "CER %",
    "per": "PER %",
    "wer": "WER %",
    "exact_match": "exact match %",
    "length_ratio": "length ratio",
    "repetition": "repetition %",
    "empty": "empty",
}
"""By the key in the metrics, in the order in which they are shown."""


def show_score(value: float) -> str:
    """Return a score with two decimals, a number of sentences without."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.2f}"
