"""``pretrained``: a tokenizer that others made, from its files, with its own ids.

The files are those of a folder, or one file: ``tokenizer.json``, which every ``save_pretrained`` of transformers 5
writes, the ``vocab.txt`` of BERT, or ``vocab.json`` with ``merges.txt`` as GPT-2 has them (also as ``encoder.json`` and
``vocab.bpe``). The stage ``vocab`` keeps the ids. Four entries serve as ``<pad>``, ``<bos>``, ``<eos>`` and ``<unk>``
and get these names; one that the files lack is appended. What is lost in decoding, such as the case, is the
tokenizer's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import tokenizers
from tokenizers import Tokenizer as LibraryTokenizer

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.errors import StageformerError
from stageformer.text.form import Form
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK

FILE_NAME = "tokenizer.json"
ROLES_NAME = "special_tokens.json"
_ROLES = {
    PAD: ("[PAD]", "<pad>"),
    EOS: ("[SEP]", "</s>", "<eos>", "<|endoftext|>"),
    BOS: ("[CLS]", "<s>", "<bos>", "<|startoftext|>"),
    UNK: ("[UNK]", "<unk>"),
}
"""Our special tokens, and which entries serve as each: the first that is there and not taken."""
_PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
_READS = "tokenizer.json, vocab.txt, vocab.json with merges.txt or encoder.json with vocab.bpe"


class PretrainedTokenizer(Tokenizer):
    """A tokenizer of others, as the Hugging Face library reads it.

    Args:
        library_tokenizer: it.
        form: given to every text first.
    """

    kind = "pretrained"
    exact = False
    files = (FILE_NAME, ROLES_NAME)

    def __init__(self, library_tokenizer: LibraryTokenizer, form: Form) -> None:
        super().__init__(form)
        self._tokenizer = library_tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        ids = library_tokenizer.get_vocab()
        size = max(ids.values(), default=-1) + 1
        # A hole in the ids keeps its place.
        self._tokens = [f"<unused {index}>" for index in range(size)]
        for token, index in ids.items():
            self._tokens[index] = token
        self.roles = _roles(self._tokens)

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Read the files; nothing is learnt.

        Raises:
            StageformerError: there are no such files, or they cannot be read.
        """
        return cls(_read(Path(options.path)), Form.of(options))

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text, as they are in the files."""
        prepared = [self.form.apply(text) for text in texts]
        encodings = self._tokenizer.encode_batch(prepared, add_special_tokens=False)
        # By the ids: where a model has no unknown token, what it does not know is not there at all.
        return [[self._tokens[index] for index in encoding.ids] for encoding in encodings]

    def decode(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        known = [token for token in tokens if token not in self.roles or token == UNK]
        decoder = self._tokenizer.decoder
        return str(decoder.decode(known)) if decoder else " ".join(known)

    def save(self, folder: Path) -> None:
        """Write the tokenizer as the library reads it, and which entries serve as our special tokens."""
        with atomic_file(folder / FILE_NAME) as file:
            file.write(self._tokenizer.to_str(pretty=True).encode() + b"\n")
        write_json(folder / ROLES_NAME, self.roles)

    @classmethod
    def load(cls, folder: Path, form: Form) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""
        return cls(_from_json(folder / FILE_NAME), form)

    @property
    def entries(self) -> list[str]:
        """The token of each id, with our names for our special tokens; those that the files lack come last."""
        names = {theirs: ours for ours, theirs in self.roles.items() if theirs is not None}
        found = [names.get(token, token) for token in self._tokens]
        return [*found, *(ours for ours, theirs in self.roles.items() if theirs is None)]

    @property
    def remark(self) -> str:
        """Which entries serve as our special tokens."""
        found = (f"{ours} is {theirs or 'appended'}" for ours, theirs in self.roles.items())
        return f"{len(self._tokens):,} ids of the files, {', '.join(found)}"

    @property
    def size(self) -> None:
        """None: nothing is learnt."""
        return None

    @property
    def learnt(self) -> list[str]:
        """No tokens: see :attr:`entries`."""
        return []

    @property
    def versions(self) -> dict[str, str]:
        """That of the library."""
        return {"tokenizers": tokenizers.__version__}

    def to_hugging_face(self) -> None:
        """None: the export makes ids of its own."""


def _roles(tokens: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    present = set(tokens)
    for ours, theirs in _ROLES.items():
        free = (token for token in theirs if token in present and token not in found.values())
        found[ours] = next(free, None)
    for ours in _ROLES:
        if ours in present and ours not in found.values():
            raise StageformerError(f"the pretrained tokenizer has an entry {ours!r}, which is a special token here")
    return found


def _read(path: Path) -> LibraryTokenizer:
    """Read a tokenizer from a file or a folder."""
    folder = path if path.is_dir() else path.parent
    if path.name == FILE_NAME or (path.is_dir() and (path / FILE_NAME).is_file()):
        return _from_json(folder / FILE_NAME)
    if not path.exists():
        raise StageformerError(f"{path}: no such file or folder; it should hold a tokenizer ({_READS})")
    try:
        for names in _PAIRS:
            vocabulary, merges = (folder / name for name in names)
            if vocabulary.is_file() and merges.is_file() and (path.is_dir() or path.name in names):
                gpt2 = tokenizers.ByteLevelBPETokenizer(str(vocabulary), str(merges))
                return LibraryTokenizer.from_str(gpt2.to_str())
        if path.name == "vocab.txt" or (path / "vocab.txt").is_file():
            return _bert(folder / "vocab.txt")
    except Exception as error:  # the libraries raise no class of their own
        reason = " ".join(str(error).split())[:200]
        raise StageformerError(f"{path}: not a readable tokenizer ({reason})") from None
    raise StageformerError(f"{path}: needed a tokenizer: {_READS}")


def _bert(path: Path) -> LibraryTokenizer:
    lines = path.read_text(encoding="utf-8").splitlines()
    config = path.parent / "tokenizer_config.json"
    lower = None
    if config.is_file():
        lower = json.loads(config.read_text(encoding="utf-8")).get("do_lower_case")
    if lower is None:  # an uncased vocabulary has no upper-case letters, but in its special tokens
        lower = not any(line != line.lower() for line in lines if not line.startswith("["))
    return LibraryTokenizer.from_str(tokenizers.BertWordPieceTokenizer(str(path), lowercase=lower).to_str())


def _from_json(path: Path) -> LibraryTokenizer:
    try:
        return LibraryTokenizer.from_str(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; it should hold a tokenizer") from None
    except Exception as error:  # the library raises no class of its own
        reason = " ".join(str(error).split())
        raise StageformerError(f"{path}: not a readable tokenizer ({reason})") from None
