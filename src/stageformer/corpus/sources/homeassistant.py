"""The default corpus: the user-interface strings of Home Assistant in about 60 languages, read from its wheel.

The wheel is fetched as data with pip, checked by its hash, and never installed.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from stageformer.console.output import is_unicode
from stageformer.corpus.labels import REASON
from stageformer.corpus.sources.base import Record, Rejected, Source
from stageformer.corpus.wheels import fetch_wheel
from stageformer.errors import StageformerError, did_you_mean
from stageformer.params.ingest import Ingest

_TRANSLATION = re.compile(r"homeassistant/components/([^/]+)/translations/([^/]+)\.json")
_REFERENCE = "[%key:"


@dataclass(frozen=True)
class HomeAssistantSource(Source):
    """Strings of two languages under the same component and key path are a pair; the component is the group.

    Reading order: component names, then key paths, both sorted.
    """

    wheel: Path
    source_language: str
    target_language: str | None
    """None: the strings of one language, without translations."""
    labels: str = "none"
    """``one``: the kind of string is the label, and strings of no kind are left out."""
    drop_equal: bool = True
    """as ``ingest.drop_equal``"""

    @classmethod
    def open(cls, params: Ingest, cache: Path) -> dict[str, Self]:
        """See :meth:`Source.open`. Raises StageformerError as :func:`~stageformer.corpus.wheels.fetch_wheel`."""
        wheel = fetch_wheel("homeassistant", params.homeassistant, cache)
        return {"train": cls(wheel, params.source_language, params.target_language, params.labels, params.drop_equal)}

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pairs, straight from the zip.

        Raises:
            StageformerError: a language that the wheel has not, twice the same language where its pairs would be
                dropped, or a damaged wheel.
        """
        try:
            with zipfile.ZipFile(self.wheel) as archive:
                yield from self._records(archive)
        except FileNotFoundError:
            raise StageformerError(f"{self.wheel}: no such file") from None
        except (zipfile.BadZipFile, ValueError) as error:
            raise StageformerError(f"{self.wheel}: damaged ({error}); delete it and run again") from None

    def _records(self, archive: zipfile.ZipFile) -> Iterator[Record | Rejected]:
        found = [match.groups() for match in map(_TRANSLATION.fullmatch, archive.namelist()) if match]
        languages = sorted({language for _, language in found})
        for side, language in (("source", self.source_language), ("target", self.target_language)):
            if language is not None and language not in languages:
                raise StageformerError(
                    f"ingest.{side}_language is {language!r}{did_you_mean(language, languages)}; "
                    f"{self.wheel.name} has {', '.join(languages)}"
                )
        if self.source_language == self.target_language and self.drop_equal:
            raise StageformerError(
                f"ingest.source_language and target_language are both {self.source_language!r}, and ingest.drop_equal "
                "drops every such pair; set it to false for a model that gives back what it reads"
            )
        files = set(found)
        for component in sorted({component for component, _ in found}):
            sources, targets = (
                self._strings(archive, component, language) if (component, language) in files else {}
                for language in (self.source_language, self.target_language or "")
            )
            for path in sorted(sources):
                where = f"{component}: {'.'.join(path)}"
                source, target = sources[path], "" if self.target_language is None else targets.get(path)
                kind = kind_of_string(path) if self.labels == "one" else ""
                if kind is None:
                    yield Rejected(REASON, where, None, source)
                elif target is None:
                    yield Rejected("untranslated", where, None, source)
                elif _REFERENCE in source or _REFERENCE in target:
                    yield Rejected("reference", where, None, source)
                elif not (is_unicode(source) and is_unicode(target)):
                    yield Rejected("not_utf8", where, None)
                else:
                    yield Record(source, target, component, where, labels=(kind,) if kind else ())

    @staticmethod
    def _strings(archive: zipfile.ZipFile, component: str, language: str) -> dict[tuple[str, ...], str]:
        tree = json.loads(archive.read(f"homeassistant/components/{component}/translations/{language}.json"))
        return dict(_flatten(tree, ()))


def kind_of_string(path: tuple[str, ...]) -> str | None:
    """Return what a string of the user interface is, from the keys that lead to it; None if they do not say.

    The names of what is filled in by hand, in a form or for an action, are labels; those of entities, sensors and
    actions are names.
    """
    first, last = path[0], path[-1]
    above = path[-2] if len(path) > 1 else ""
    if first == "device_automation":
        return "automation"
    if first == "selector":
        return "option"
    if "state" in path[1:-1]:
        return "state"
    if first == "exceptions" or above in ("abort", "error"):
        return "error"
    if above == "data":
        return "label"
    if above == "data_description" or last == "description":
        return "description"
    if last == "name":
        return "label" if "fields" in path else "name"
    return "title" if last == "title" else None


def _flatten(tree: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _flatten(branch, (*path, key))
    elif isinstance(tree, str):
        yield path, tree
