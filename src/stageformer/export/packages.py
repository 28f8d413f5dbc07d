"""The optional packages that the export stands on."""

from __future__ import annotations

from importlib.util import find_spec

from stageformer.errors import StageformerError


def require(package: str) -> None:
    """Raise StageformerError, which says how to install it, unless the optional package is there."""
    if find_spec(package) is None:
        raise StageformerError(f"the package {package} is not installed; run `pip install 'stageformer[export]'`")
