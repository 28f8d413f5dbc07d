"""Data of NLTK as a user has it, made by NLTK itself, since no package brings any."""

from __future__ import annotations

from pathlib import Path

import pytest

TEXT = "Dr. Smith and Dr. Jones met Mr. Brown. They left. Prof. Dr. Meier came, too. He saw Dr. Smith. " * 60


def write_punkt(folder: Path) -> Path:
    """Train the finder of sentences on a text with abbreviations, and save it as ``punkt_tab``."""
    from nltk import data
    from nltk.tokenize.punkt import PunktTrainer, save_punkt_params

    trainer = PunktTrainer()
    trainer.INCLUDE_ALL_COLLOCS = True
    trainer.train(TEXT)
    data.path.insert(0, str(folder))  # NLTK writes nowhere else
    try:
        for language in ("english", "german"):
            target = folder / "tokenizers/punkt_tab" / language
            target.mkdir(parents=True)
            save_punkt_params(trainer.get_params(), dir=str(target))
    finally:
        data.path.remove(str(folder))
    return folder


@pytest.fixture(scope="session")
def nltk_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_punkt(tmp_path_factory.mktemp("nltk_data"))
