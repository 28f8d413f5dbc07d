"""The answers of services that outputs hold, taken into the store (:mod:`stageformer.artifacts.answers`).

Every stage does this first, so that it imports neither pyarrow nor NumPy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from stageformer.artifacts.files import atomic_file


def stock(root: Path) -> None:
    """Copy what the outputs ``data/STAGE/answers`` below ``root`` hold into the store ``.cache/answers``.

    Raises:
        StageformerError: as :func:`~stageformer.artifacts.files.atomic_file`.
    """
    store = root / ".cache" / "answers"
    for path in sorted((root / "data").glob("*/answers/*.parquet")):
        place = store / path.name
        if not place.exists():
            with path.open("rb") as source, atomic_file(place) as target:  # several processes may do the same
                shutil.copyfileobj(source, target)
