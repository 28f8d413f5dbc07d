"""As ``ctranslate2``, with matrices of 8 bits and a scale for each row."""

from __future__ import annotations

from stageformer.export.formats.ctranslate2 import CTranslate2Format

NEEDS = ("ctranslate2",)


class CTranslate2Int8Format(CTranslate2Format):
    """A folder of CTranslate2 of a quarter of the size."""

    title = "CTranslate2, int8"
    quantization = "int8"
    # Without VNNI instructions, the products of eight-bit numbers overflow.
    same_on_every_cpu = False
