"""``pretrained``: a tokenizer that others made, from its files, with its own ids.

The files are those of a folder, or one file: ``tokenizer.json``, which every ``save_pretrained`` of transformers 5
writes, the ``vocab.txt`` of BERT, ``vocab.json`` with ``merges.txt`` as GPT-2 and CLIP have them (also as
``encoder.json`` and ``vocab.bpe``), CLIP's ``bpe_simple_vocab_16e6.txt.gz``, a file of ranks of tiktoken, the
``.model`` of SentencePiece, or any other folder that ``AutoTokenizer`` reads. The stage ``vocab`` keeps the ids. Four
entries serve as ``<pad>``, ``<bos>``, ``<eos>`` and ``<unk>`` and get these names; one that the files lack is appended.
What is lost in decoding, such as the case, is the tokenizer's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from tokenizers import Tokenizer as LibraryTokenizer

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.reading import read_content
from stageformer.errors import StageformerError, require
from stageformer.text.form import Form
from stageformer.text.tokenizers._pretrained_files import FILE_NAME, from_json, read_pretrained
from stageformer.text.tokenizers.base import Tokenizer
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK

MAY_NEED = ("sentencepiece", "transformers")
"""What some files are read with: asked for when it is known which file it is."""

ROLES_NAME = "special_tokens.json"
_MODEL_NAME = "sentencepiece.model"
_ROLES = {
    PAD: ("[PAD]", "<pad>"),
    EOS: ("[SEP]", "</s>", "<eos>", "<|endoftext|>"),
    BOS: ("[CLS]", "<s>", "<bos>", "<|startoftext|>"),
    UNK: ("[UNK]", "<unk>"),
}
"""Our special tokens, and which entries serve as each: the first that is there and not taken."""


class _Engine(Protocol):
    """The library that cuts text."""

    file: ClassVar[str]
    """The name of the file that :attr:`content` is saved as."""
    package: ClassVar[str]
    tokens: list[str]
    """The token of each id."""

    @property
    def content(self) -> bytes: ...

    def encode(self, texts: list[str]) -> list[list[int]]: ...

    def decode(self, tokens: list[str]) -> str: ...


class _HuggingFace:
    """The library ``tokenizers``."""

    file: ClassVar[str] = FILE_NAME
    package: ClassVar[str] = "tokenizers"

    def __init__(self, tokenizer: LibraryTokenizer) -> None:
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        tokenizer.no_truncation()
        ids = tokenizer.get_vocab()
        # A hole in the ids keeps its place.
        self.tokens = [f"<unused {index}>" for index in range(max(ids.values(), default=-1) + 1)]
        for token, index in ids.items():
            self.tokens[index] = token

    @property
    def content(self) -> bytes:
        return self._tokenizer.to_str(pretty=True).encode() + b"\n"

    def encode(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch(texts, add_special_tokens=False)]

    def decode(self, tokens: list[str]) -> str:
        if not tokens:  # some decoders panic
            return ""
        decoder = self._tokenizer.decoder
        return str(decoder.decode(tokens)) if decoder else " ".join(tokens)


class _SentencePiece:
    """The library SentencePiece: that of Hugging Face cuts ties and unknown characters in another way."""

    file: ClassVar[str] = _MODEL_NAME
    package: ClassVar[str] = "sentencepiece"

    def __init__(self, content: bytes) -> None:
        require("sentencepiece")
        import sentencepiece

        self._content = content
        self._processor: Any = sentencepiece.SentencePieceProcessor(model_proto=content)
        self.tokens = [self._processor.id_to_piece(index) for index in range(self._processor.get_piece_size())]

    @property
    def content(self) -> bytes:
        return self._content

    def encode(self, texts: list[str]) -> list[list[int]]:
        return list(self._processor.encode(texts, out_type=int))

    def decode(self, tokens: list[str]) -> str:
        return str(self._processor.decode(tokens))


class PretrainedTokenizer(Tokenizer):
    """A tokenizer of others, as its library reads it.

    Args:
        engine: the library with the tokenizer.
        form: given to every text first.
    """

    kind = "pretrained"
    exact = False
    files = (FILE_NAME, ROLES_NAME)
    """Or the SentencePiece model."""

    def __init__(self, engine: _Engine, form: Form) -> None:
        super().__init__(form)
        self._engine = engine
        self.files = (engine.file, ROLES_NAME)  # type: ignore[misc]  # those of the class are the usual ones
        self.roles = _roles(engine.tokens)

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Read the files; nothing is learnt.

        Raises:
            StageformerError: there are no such files, they cannot be read, or a package that reads them is missing.
        """
        found = read_pretrained(Path(options.path))
        return cls(_of_model(found) if isinstance(found, Path) else _HuggingFace(found), Form.of(options, sentences))

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text, as they are in the files."""
        tokens = self._engine.tokens
        # By the ids: where a model has no unknown token, what it does not know is not there at all.
        return [[tokens[index] for index in ids] for ids in self._engine.encode([self.form.apply(t) for t in texts])]

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return self._engine.decode([token for token in tokens if token not in self.roles or token == UNK])

    def save(self, folder: Path) -> None:
        """Write the tokenizer as its library reads it, and which entries serve as our special tokens."""
        with atomic_file(folder / self._engine.file) as file:
            file.write(self._engine.content)
        write_json(folder / ROLES_NAME, self.roles)

    @classmethod
    def load(cls, folder: Path, form: Form) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""
        model = folder / _MODEL_NAME
        return cls(_of_model(model) if model.is_file() else _HuggingFace(from_json(folder / FILE_NAME)), form)

    @property
    def entries(self) -> list[str]:
        """The token of each id, with our names for our special tokens; those that the files lack come last."""
        names = {theirs: ours for ours, theirs in self.roles.items() if theirs is not None}
        found = [names.get(token, token) for token in self._engine.tokens]
        return [*found, *(ours for ours, theirs in self.roles.items() if theirs is None)]

    @property
    def remark(self) -> str:
        """Which entries serve as our special tokens."""
        found = (f"{ours} is {theirs or 'appended'}" for ours, theirs in self.roles.items())
        return f"{len(self._engine.tokens):,} ids of the files, {', '.join(found)}"

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
        return {self._engine.package: version(self._engine.package)}

    def to_hugging_face(self) -> None:
        """None: the export makes ids of its own."""


def _of_model(path: Path) -> _SentencePiece:
    try:
        return _SentencePiece(read_content(path))
    except (RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())
        raise StageformerError(f"{path}: not a readable SentencePiece model ({reason})") from None


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
