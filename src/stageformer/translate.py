"""Translate text with the model that the pipeline made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from stageformer.artifacts import atomic_file
from stageformer.corpus.cleaning import normalise
from stageformer.decoding.beam import beam_search
from stageformer.decoding.corpus import translate_corpus
from stageformer.decoding.sources import EncodedSources
from stageformer.decoding.text import rules_for, source_ids, target_text
from stageformer.errors import StageformerError
from stageformer.model.transformer import Transformer
from stageformer.model_files import load_model
from stageformer.params.base import parse
from stageformer.params.evaluate import Evaluate
from stageformer.params.reading import read_yaml
from stageformer.text.pair import Tokenizers, load_tokenizers
from stageformer.text.vocabulary import Vocabularies, load_vocabularies


@dataclass(frozen=True)
class Translator:
    """A model with all that stands between it and text."""

    tokenizers: Tokenizers
    vocabularies: Vocabularies
    model: Transformer
    params: Evaluate
    """the search: that of the stage evaluate, so that the scores reported there are those of what comes out here"""

    @staticmethod
    def load(root: Path = Path()) -> Translator:
        """Load what the pipeline made in a copy of the repository.

        Args:
            root: of the copy; read are params.yaml (group evaluate), data/tokenize, data/vocab and data/train_decoder.

        Raises:
            StageformerError: the pipeline has not run yet, or an artifact is damaged.
        """
        model_path = root / "data/train_decoder/model.pt"
        if not model_path.exists():
            raise StageformerError(f"{model_path}: there is no model yet; make it with `dvc repro`")
        values = read_yaml(root / "params.yaml")
        return Translator(
            tokenizers=load_tokenizers(root / "data/tokenize/tokenizer"),
            vocabularies=load_vocabularies(root / "data/vocab"),
            model=load_model(model_path)[0],
            params=parse(Evaluate, values.get("evaluate"), "evaluate"),
        )

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam_size: int | None = None,
        origin: str = "texts",
        first_line: int = 1,
        show_progress: bool = True,
    ) -> list[str]:
        """Translate sentences, each by itself.

        Args:
            texts: one sentence each; an empty one, or one of white space alone, has an empty translation.
            beam_size: hypotheses kept at each step; None: as ``evaluate.beam_size`` says.
            origin: what the sentences are lines of, for messages.
            first_line: the number of the first of these lines.
            show_progress: show a progress bar where there is a terminal.

        Raises:
            StageformerError: a sentence is longer than the table of positions.
        """
        # As the stage ingest does: the model has never seen text in another form.
        cleaned = [normalise(text) for text in texts]
        filled = [row for row, text in enumerate(cleaned) if text]
        ids = source_ids([cleaned[row] for row in filled], self.tokenizers.source, self.vocabularies.source)
        self._check_lengths(ids, [first_line + row for row in filled], origin)
        sources = EncodedSources(self.model.encoder, ids, self.vocabularies.source.pad_id, torch.device("cpu"))
        rules = rules_for(
            self.vocabularies.target,
            max_length_ratio=self.params.max_length_ratio,
            max_length_offset=self.params.max_length_offset,
        )
        search = partial(
            beam_search,
            self.model.decoder,
            rules=rules,
            beam_size=beam_size or self.params.beam_size,
            length_penalty=self.params.length_penalty,
        )
        found = translate_corpus(sources, search, self.params.batch_tokens, "translate" if show_progress else None)
        translations = [""] * len(texts)
        for row, hypothesis in zip(filled, found, strict=True):
            text = target_text(hypothesis.ids, self.tokenizers.target, self.vocabularies.target)
            translations[row] = " ".join(text.splitlines())  # one line, whatever a model writes
        return translations

    def _check_lengths(self, ids: list[list[int]], lines: list[int], origin: str) -> None:
        embedding = self.model.encoder.embedding
        if embedding.positions is None:
            return
        limit = embedding.config.max_length
        for line, sentence in zip(lines, ids, strict=True):
            if len(sentence) > limit:
                raise StageformerError(
                    f"{origin}, line {line}: {len(sentence)} tokens with <eos>, the model takes {limit} "
                    "(embed.max_length); split the sentence"
                )


def translate_file(translator: Translator, source: Path, output: Path, *, beam_size: int | None = None) -> int:
    """Translate a text file, one sentence a line, into one with as many lines.

    Returns:
        The number of lines.

    Raises:
        StageformerError: the file is missing or not UTF-8, or a sentence is too long; nothing is written then.
    """
    lines = read_sentences(source)
    translations = translator.translate(lines, beam_size=beam_size, origin=str(source))
    with atomic_file(output) as file:
        file.writelines(f"{translation}\n".encode() for translation in translations)
    return len(lines)


def read_sentences(path: Path) -> list[str]:
    """Read the lines of a UTF-8 file. Raises StageformerError when it is missing or a line is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StageformerError(f"{path}: {(error.strerror or 'unreadable').lower()}") from None
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [decode_line(line, str(path), number) for number, line in enumerate(lines, start=1)]


def decode_line(line: bytes, origin: str, number: int) -> str:
    """Return the text of a line. Raises StageformerError, which names the line and the byte, when it is not UTF-8."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        byte = f"byte 0x{line[error.start]:02x} at {error.start + 1}"
        raise StageformerError(f"{origin}, line {number}: {byte} is not UTF-8; convert the text") from None
