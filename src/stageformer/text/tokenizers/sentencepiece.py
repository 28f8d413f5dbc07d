"""``sentencepiece``: a model of the library SentencePiece (Kudo and Richardson 2018), trained here or given as a file.

Trained here it is exact: it normalises nothing, keeps every space as ``▁``, and knows every character of the training
split. A given ``.model`` does to a text what it was made to do, such as NFKC or taking double spaces away; what is lost
then is its own. Trained twice, a model has the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Self

from stageformer.artifacts.files import atomic_file, write_json
from stageformer.artifacts.reading import read_content, read_json
from stageformer.errors import StageformerError, require
from stageformer.text.form import Form
from stageformer.text.marker import ESCAPE, escape, unmark
from stageformer.text.tokenizers.base import Tokenizer

NEEDS = ("sentencepiece",)

FILE_NAME = "sentencepiece.model"
CONFIG_NAME = "sentencepiece.json"
_REMEDY = "make it again with `dvc repro --force tokenize`"
# In an escaped text no lone ␛ stands before a letter. The library would learn nothing from a text that spells this.
_UNKNOWN = f"<{ESCAPE}unk>"
_LONGEST = 1 << 30  # bytes of a sentence that is trained on
_LONGEST_WORD = 20_000  # characters: the library takes a second for it, and over a minute for a million


class SentencePieceTokenizer(Tokenizer):
    """Pieces of a SentencePiece model.

    Args:
        model: the content of the ``.model`` file.
        model_type: if it was trained here, so that texts are escaped and joined exactly; None: it was given.
        form: given to every text first.
    """

    kind = "sentencepiece"
    files = (FILE_NAME, CONFIG_NAME)
    exact = True
    """But with a given model, which may lose something."""

    def __init__(self, model: bytes, form: Form, model_type: str | None) -> None:
        super().__init__(form)
        require("sentencepiece")
        import sentencepiece

        self._model, self._type = model, model_type
        self._processor: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.exact = model_type is not None  # type: ignore[misc]  # that of the class is the usual one

    @classmethod
    def train(cls, sentences: Iterable[str], options: Any) -> Self:
        """Learn from the sentences, or read the given model; see :meth:`Tokenizer.train`.

        Raises:
            StageformerError: the package is not installed, the file is no model, a word is too long to learn from, or
                there is nothing to learn.
        """
        form = Form.of(options, sentences)
        if options.path is not None:
            return cls._read(Path(options.path), form, None)
        require("sentencepiece")
        import sentencepiece

        characters: set[str] = set()
        for text in _prepared(sentences, form):
            characters.update(text)
            if len(text) > _LONGEST_WORD and (longest := max(map(len, text.split(" ")))) > _LONGEST_WORD:
                raise StageformerError(
                    f"a word of the training split has {longest:,} characters, and sentencepiece learns from at most "
                    f"{_LONGEST_WORD:,}; set ingest.max_characters, or choose another family (tokenize.source.kind)"
                )
        # Each of them is a token, and so is the one for what is unknown.
        size = max(options.vocabulary_size, len(characters) + 1) + 1
        model = BytesIO()
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=_prepared(sentences, form),
                model_writer=model,
                model_type=options.model_type,
                vocab_size=size,
                hard_vocab_limit=False,  # a small corpus has fewer pieces
                use_all_vocab=options.model_type == "char",
                character_coverage=1.0,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=_LONGEST,
                num_threads=1,  # the sums of several depend on their number
                unk_piece=_UNKNOWN, unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1,
                minloglevel=2,
            )  # fmt: skip
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise StageformerError(f"sentencepiece cannot learn from the training split ({reason})") from None
        return cls(model.getvalue(), form, options.model_type)

    def encode_batch(self, texts: list[str]) -> list[list[str]]:
        """Return the token strings of each text."""
        prepared = [self.form.apply(text) for text in texts]
        found = self._processor.encode([escape(text) for text in prepared] if self._type else prepared, out_type=str)
        unknown = self._processor.unk_id()
        tokenized: list[list[str]] = []
        for pieces in found:
            tokens: list[str] = []
            for piece in pieces:
                # What is unknown comes as it is in the text, neighbours as one piece.
                is_unknown = self._processor.piece_to_id(piece) == unknown
                tokens += list(piece) if is_unknown and self._type != "word" else [piece]
            tokenized.append(tokens)
        return tokenized

    def join(self, tokens: list[str]) -> str:
        """Join token strings to text."""
        return unmark("".join(tokens)) if self._type else str(self._processor.decode(tokens))

    def save(self, folder: Path) -> None:
        """Write the model as the library reads it, and of which type it is."""
        with atomic_file(folder / FILE_NAME) as file:
            file.write(self._model)
        write_json(folder / CONFIG_NAME, {"model_type": self._type})

    @classmethod
    def load(cls, folder: Path, form: Form) -> Self:
        """Read what :meth:`save` wrote. Raises StageformerError when it is missing or damaged."""
        path = folder / CONFIG_NAME
        config = read_json(path)
        if not isinstance(config, dict) or "model_type" not in config:
            raise StageformerError(f"{path}: needs 'model_type'; {_REMEDY}")
        return cls._read(folder / FILE_NAME, form, config["model_type"], f"; {_REMEDY}")

    @classmethod
    def _read(cls, path: Path, form: Form, model_type: str | None, remedy: str = "") -> Self:
        if not path.is_file():
            raise StageformerError(f"{path}: no such file; it should hold a SentencePiece model{remedy}")
        try:
            return cls(read_content(path), form, model_type)
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise StageformerError(f"{path}: not a readable SentencePiece model ({reason}){remedy}") from None

    @property
    def size(self) -> int:
        """The number of pieces, without those that stand for no text."""
        return len(self.learnt)

    @property
    def learnt(self) -> list[str]:
        """Every piece that stands for text, by its number in the model."""
        model = self._processor
        ids = (index for index in range(model.get_piece_size()))
        return [
            model.id_to_piece(index) for index in ids
            if not (model.is_unknown(index) or model.is_control(index) or model.is_unused(index))
        ]  # fmt: skip

    @property
    def versions(self) -> dict[str, str]:
        """That of the library."""
        return {"sentencepiece": version("sentencepiece")}

    def to_hugging_face(self) -> None:
        """None: the library cuts ties and unknown characters in another way."""


def _prepared(sentences: Iterable[str], form: Form) -> Iterator[str]:
    for text in sentences:
        yield escape(form.apply(text))
