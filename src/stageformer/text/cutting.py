"""A cutter by its name: one of ours, or a function of the user's."""

from __future__ import annotations

import sys

from stageformer.errors import StageformerError, did_you_mean, require
from stageformer.params.choices import chosen, implementation, kinds
from stageformer.params.tokenize import Cut, Tokenize
from stageformer.text.cutters._callable import CallableCutter
from stageformer.text.cutters.base import Cutter, CutterOptions


def cutter_class(name: str) -> type[Cutter]:
    """Import one of our cutters. Raises StageformerError when there is none of that name."""
    names = kinds("stageformer.text.cutters")
    if name not in names:
        raise StageformerError(
            f"unknown cutter {name!r}{did_you_mean(name, names)}; known: {', '.join(names)}, and module:callable"
        )
    found: type[Cutter] = implementation(chosen("stageformer.text.cutters", name), Cutter)
    return found


def _with_packages(name: str) -> type[Cutter]:
    """Return a cutter whose packages are here."""
    found = cutter_class(name)
    for package in sys.modules[found.__module__].NEEDS:
        require(package)
    return found


def open_cutter(name: str, options: CutterOptions) -> Cutter:
    """Return a cutter that is ready to cut.

    Args:
        name: of one of :mod:`stageformer.text.cutters`, or ``module:callable``.
        options: its language and data.

    Raises:
        StageformerError: no such cutter, or a package, the language or the data is missing.
    """
    if ":" in name:
        return CallableCutter(name, options)
    return _with_packages(name)(options)


def check_cutters(params: Tokenize, *, imports: bool = True) -> None:
    """Check the cutters that the parameters name; nothing is cut, or loaded for it.

    Args:
        params: of the stage ``tokenize``.
        imports: import the modules of the user's functions too, which runs code; see ``provenance/named_code.py``.

    Raises:
        StageformerError: a cutter could not cut.
    """
    for side, family in (("source", params.source), ("target", params.target)):
        if isinstance(family, Cut) and (imports or ":" not in family.cutter):
            try:
                check_cutter(family.cutter, CutterOptions(family.language, family.path))
            except StageformerError as error:
                raise StageformerError(f"tokenize.{side}.cutter: {error}") from None


def check_cutter(name: str, options: CutterOptions) -> None:
    """Raise StageformerError if a cutter could not cut: see :func:`open_cutter`, but nothing large is loaded."""
    if ":" in name:
        CallableCutter(name, options)
    else:
        found = _with_packages(name)
        if options.path is not None and "path" not in found.takes:
            raise StageformerError(f"the cutter {name} needs no data, so that path has no effect; set it to null")
        found.check(options)
