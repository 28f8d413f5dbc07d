"""The data ``punkt_tab`` of NLTK, which finds the ends of sentences and which no package brings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stageformer.errors import StageformerError, require
from stageformer.text.cutters.base import CutterOptions, check_language, how_path

LANGUAGES = {
    "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "et": "estonian",
    "fi": "finnish", "fr": "french", "it": "italian", "ml": "malayalam", "nl": "dutch", "no": "norwegian",
    "pl": "polish", "pt": "portuguese", "ru": "russian", "sl": "slovene", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
"""Those of punkt_tab, by their codes."""


@contextmanager
def folder_of_nltk(path: str | None) -> Iterator[None]:
    """Let NLTK look for its data in one folder alone; None: in its own folders. It opens no file elsewhere."""
    from nltk import data

    before = list(data.path)
    if path is not None:
        data.path[:] = [path]
    try:
        yield
    finally:
        data.path[:] = before


def punkt_folder(options: CutterOptions, cutter: str) -> Path:
    """Return the folder of punkt_tab for a language.

    Args:
        options: ``path`` is a folder of NLTK data, which holds ``tokenizers/punkt_tab/LANGUAGE``; None: NLTK's own.
        cutter: its name, for the message.

    Raises:
        StageformerError: no such language, no data, or no NLTK.
    """
    require("nltk")
    from nltk import data

    name = LANGUAGES[check_language(options.language, LANGUAGES, cutter)]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            with folder_of_nltk(options.path):
                return Path(str(data.find(f"tokenizers/punkt_tab/{name}/")))
        except LookupError:
            where = options.path or "the folders of NLTK"
            why = f" ({warned[0].message})" if warned else ""  # such as a folder that others may write to
            raise StageformerError(
                f"the cutter {cutter} needs the data punkt_tab, and there is no tokenizers/punkt_tab/{name} in "
                f"{where}{why}; no package brings it: run `python -m nltk.downloader -d FOLDER punkt_tab`, then "
                + how_path(cutter)
            ) from None
