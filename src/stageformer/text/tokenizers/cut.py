"""``cut``: words found by a library of others (:mod:`stageformer.text.cutters`), whole or cut into subwords; exact.

The library says where the words are; the space marker keeps everything else, so that decoding gives back the text. A
cutter that drops or changes text on purpose, such as ``gensim``, says what is lost. What is promised then: a decoded
text is cut into the very same tokens again.

Decoding needs neither the library nor the function of the user, only the files. These never make code run: see
:meth:`CutTokenizer.load`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import tokenizers

from stageformer.artifacts.files import write_json
from stageformer.artifacts.reading import read_json
from stageformer.errors import StageformerError
from stageformer.params.reading import read_yaml
from stageformer.text.alignment import tokens_of, tokens_of_words
from stageformer.text.cutters.base import Cutter, CutterOptions
from stageformer.text.cutting import cutter_class, open_cutter
from stageformer.text.form import Form
from stageformer.text.marker import unmark
from stageformer.text.subwords import FILE_NAME, KINDS, Subwords, learn_subwords, load_subwords
from stageformer.text.tokenizers.base import Tokenizer

CONFIG_NAME = "cutter.json"
_BATCH = 2048  # sentences whose distinct words are cut into pieces at a time
_REMEDY = "make it again with `dvc repro --force tokenize`"


class Description(NamedTuple):
    """What :data:`CONFIG_NAME` holds."""

    cutter: str
    """The name of a cutter of ours, or ``module:callable``."""
    language: str | None
    path: str | None
    subwords: str
    """``none``, or a key of :data:`stageformer.text.subwords.KINDS`."""
    lost: str
    """What of a text the cutter loses; ``""``: nothing."""

    @property
    def options(self) -> CutterOptions:
        """What the cutter is told."""
        return CutterOptions(self.language, self.path)

    @property
    def names_foreign_files(self) -> bool:
        """Whether it names something outside of its folder: a function, or a path that may hold code."""
        return ":" in self.cutter or self.path is not None


class CutTokenizer(Tokenizer):
    """Words of a cutter with markers for their spaces, in subwords if these were learnt.

    Args:
        form: given to every text first.
        description: of the cutter.
        subwords: None: a word is a token.
        cutter: None: it is opened when the first text is to be cut.
        folder: of the file that the description comes from; None: it comes from the parameters.
    """

    kind = "cut"
    exact = True
    """But with a cutter that loses something."""

    def __init__(
        self,
        form: Form,
        description: Description,
        subwords: Subwords | None = None,
        cutter: Cutter | None = None,
        folder: Path | None = None,
    ) -> None:
        super().__init__(form)
        self._description, self._subwords, self._folder = description, subwords, folder
        if cutter is not None:
            self._cutter = cutter
        self.exact = not description.lost  # type: ignore[misc]  # that of the class is the usual one
        self.files = (CONFIG_NAME, *((FILE_NAME,) if subwords else ()))  # type: ignore[misc]  # as for exact

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Open the cutter, and learn the subwords from the words that it finds; see :meth:`Tokenizer.train`.

        Raises:
            StageformerError: the cutter cannot be opened, or finds no words to learn from.
        """
        cutter = open_cutter(options.cutter, CutterOptions(options.language, options.path))
        description = Description(options.cutter, options.language, options.path, options.subwords, cutter.lost)
        self = cls(Form.of(options, sentences), description, None, cutter)
        if options.subwords == "none":
            return self
        words: Counter[str] = Counter()
        for text in sentences:
            words.update(self._words(text))
        if not words:
            raise StageformerError(f"the cutter {options.cutter} finds no words in the training split")
        subwords = learn_subwords(options.subwords, words, options.vocabulary_size)
        return cls(self.form, description, subwords, cutter)

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        words = [self._words(text) for text in texts]
        if self._subwords is None:
            return words
        tokenized: list[list[str]] = []
        for start in range(0, len(words), _BATCH):
            batch = [self._subwords.protect(found) for found in words[start : start + _BATCH]]
            tokenized += self._subwords.cut(batch)
        return tokenized

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return unmark(self._subwords.join(tokens) if self._subwords else "".join(tokens))

    def save(self, folder: Path) -> None:
        """Write which cutter it is, and the subwords if there are any."""
        write_json(folder / CONFIG_NAME, self._description._asdict())
        if self._subwords:
            self._subwords.save(folder)

    @classmethod
    def load(cls, folder: Path, form: Form) -> Self:
        """Read what :meth:`save` wrote.

        A folder may come from anyone. So a function or a path that its file names is not followed, unless the
        ``params.yaml`` of the repository in the current folder names the same: a text cannot be cut then.

        Raises:
            StageformerError: a file is missing or damaged.
        """
        path = folder / CONFIG_NAME
        config = read_json(path)
        if not isinstance(config, dict) or not _is_description(config):
            raise StageformerError(f"{path}: does not describe a cutter; {_REMEDY}")
        description = Description(*(config[name] for name in Description._fields))
        if ":" not in description.cutter:
            try:
                cutter_class(description.cutter)
            except StageformerError as error:
                raise StageformerError(f"{path}: {error}; {_REMEDY}") from None
        subwords = None if description.subwords == "none" else load_subwords(description.subwords, folder)
        return cls(form, description, subwords, folder=folder)

    @property
    def size(self) -> int | None:
        """The number of subwords learnt; None: words are tokens, and none are learnt."""
        return len(self.learnt) if self._subwords else None

    @property
    def learnt(self) -> list[str]:
        """Every subword; no words."""
        return self._subwords.learnt if self._subwords else []

    @property
    def remark(self) -> str:
        """What cuts, in which version, and what is lost."""
        by = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lost = f"; lost: {self._description.lost}" if self._description.lost else ""
        return f"words of {self._description.cutter} ({by}){lost}"

    @property
    def versions(self) -> dict[str, str]:
        """Those of the packages and the data that find the words, as far as they are here."""
        learnt = {"tokenizers": tokenizers.__version__} if self._subwords else {}
        with suppress(StageformerError):  # what is missing here is missed when a text is to be cut
            if ":" in self._description.cutter:
                return self._cutter.own_versions() | learnt
            if self._may_be_followed:
                return cutter_class(self._description.cutter).versions(self._description.options) | learnt
        return learnt

    def to_hugging_face(self) -> None:
        """None: the library has no component for rules of others."""

    @cached_property
    def _cutter(self) -> Cutter:
        if not self._may_be_followed:
            assert self._folder is not None
            named = self._description.cutter if ":" in self._description.cutter else self._description.path
            raise StageformerError(
                f"{self._folder / CONFIG_NAME}: names {named}, which may run code, and is not followed, unless the "
                "params.yaml of a repository, run in its folder, names it as cutter and path"
            )
        return open_cutter(self._description.cutter, self._description.options)

    @cached_property
    def _may_be_followed(self) -> bool:
        return self._folder is None or not self._description.names_foreign_files or _is_named_here(self._description)

    def _words(self, text: str) -> list[str]:
        """Return the words of a text with their markers, and whatever is between them."""
        text = self.form.apply(text)
        if not self._description.lost:
            return tokens_of(text, self._cutter.spans(text))
        return tokens_of_words(self._cutter.words(text))


def _is_description(config: dict[str, Any]) -> bool:
    return (
        all(isinstance(config.get(name), str) for name in ("cutter", "subwords", "lost"))
        and all(isinstance(config.get(name, 0), str | None) for name in ("language", "path"))
        and config["subwords"] in {"none", *KINDS}
    )


def _is_named_here(description: Description) -> bool:
    """Say whether the parameters of the repository in the current folder name the same function and path."""
    params = Path("params.yaml")
    if not (params.is_file() and Path("dvc.yaml").is_file()):
        return False
    group = read_yaml(params).get("tokenize")
    sides = [group.get(side) for side in ("source", "target")] if isinstance(group, dict) else []
    return any(
        isinstance(side, dict)
        and (side.get("kind"), side.get("cutter"), side.get("path")) == ("cut", description.cutter, description.path)
        for side in sides
    )
