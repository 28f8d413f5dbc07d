"""``keras``: the words of Keras' ``Tokenizer`` (``text_to_word_sequence``), lower-cased and without marks; lossy.

Keras 3 keeps it among its legacy code. Its successor, ``TextVectorization``, needs TensorFlow.
"""

from __future__ import annotations

import os

from stageformer.text.cutters.base import Cutter, CutterOptions

NEEDS = ("keras",)


class KerasCutter(Cutter):
    """Lower-cases a text, takes the marks out, and cuts at spaces."""

    distributions = ("keras",)
    lost = "case and ASCII punctuation marks but the apostrophe"

    def __init__(self, options: CutterOptions) -> None:
        super().__init__(options)
        os.environ.setdefault("KERAS_BACKEND", "torch")  # the import asks for one, and the default is TensorFlow
        from keras.src.legacy.preprocessing.text import text_to_word_sequence

        self._cut = text_to_word_sequence

    def words(self, text: str) -> list[str]:
        """Return the words of a text."""
        return list(self._cut(text))
