"""The default corpus: the user-interface strings of Home Assistant in about 60 languages, read from its wheel."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stageformer.corpus.sources.base import Record, Rejected, is_unicode
from stageformer.errors import StageformerError, did_you_mean

_TRANSLATION = re.compile(r"homeassistant/components/([^/]+)/translations/([^/]+)\.json")
_REFERENCE = "[%key:"


@dataclass(frozen=True)
class HomeAssistantSource:
    """Strings of two languages under the same component and key path are a pair; the component is the group.

    Reading order: component names, then key paths, both sorted.
    """

    wheel: Path
    source_language: str
    target_language: str

    def __iter__(self) -> Iterator[Record | Rejected]:
        """Yield the pairs, straight from the zip.

        Raises:
            StageformerError: a language that the wheel has not, twice the same language, or a damaged wheel.
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
            if language not in languages:
                raise StageformerError(
                    f"ingest.{side}_language is {language!r}{did_you_mean(language, languages)}; "
                    f"{self.wheel.name} has {', '.join(languages)}"
                )
        if self.source_language == self.target_language:
            raise StageformerError(f"ingest.source_language and target_language are both {self.source_language!r}")
        files = set(found)
        for component in sorted({component for component, _ in found}):
            sources, targets = (
                self._strings(archive, component, language) if (component, language) in files else {}
                for language in (self.source_language, self.target_language)
            )
            for path in sorted(sources):
                where = f"{component}: {'.'.join(path)}"
                source, target = sources[path], targets.get(path)
                if target is None:
                    yield Rejected("untranslated", where, None, source)
                elif _REFERENCE in source or _REFERENCE in target:
                    yield Rejected("reference", where, None, source)
                elif not (is_unicode(source) and is_unicode(target)):
                    yield Rejected("not_utf8", where, None)
                else:
                    yield Record(source, target, component, where)

    @staticmethod
    def _strings(archive: zipfile.ZipFile, component: str, language: str) -> dict[tuple[str, ...], str]:
        tree = json.loads(archive.read(f"homeassistant/components/{component}/translations/{language}.json"))
        return dict(_flatten(tree, ()))


def _flatten(tree: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(tree, dict):
        for key, branch in tree.items():
            yield from _flatten(branch, (*path, key))
    elif isinstance(tree, str):
        yield path, tree
