"""What commands print with ``--json``: the figures of their text, for other programs."""

from __future__ import annotations

import json
import math
import re
from typing import Any

_SPECIAL = re.compile(r"[\x7f-\x9f\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What a terminal might obey: written as JSON's own escapes, which :func:`stageformer.console.output.echo` leaves."""


def json_text(content: Any, *, indent: int | None = 2) -> str:
    """Return values as JSON.

    Args:
        content: of mappings, sequences, texts, numbers, truth values and None. NaN and infinity, which JSON lacks,
            become null.
        indent: spaces of each level; None: everything on one line.
    """
    text = json.dumps(_finite(content), indent=indent, ensure_ascii=False, allow_nan=False)
    return _SPECIAL.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
