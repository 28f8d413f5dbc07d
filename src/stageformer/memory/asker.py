"""What asking a service needs that is in no artifact: whom to ask, where answers are recorded, and the text of ids."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from stageformer.artifacts.answers import Answers
from stageformer.errors import StageformerError
from stageformer.params.base import parse
from stageformer.params.choices import chosen
from stageformer.params.reading import read_yaml
from stageformer.params.services import AnyService
from stageformer.params.train_encoder import TrainEncoder
from stageformer.text.tokenizers.byte_bpe import text_of
from stageformer.text.vocabulary import Vocabulary
from stageformer.vectors.base import VectorService


class Asker:
    """Asks the service that ``train_encoder.service`` describes, on behalf of a repository.

    Args:
        root: of the repository
        vocabulary: of the sources, whose tokens are bytes of UTF-8 (the tokenizer ``byte_bpe``)
        params: the service; None: what ``params.yaml`` says when somebody is first asked
    """

    def __init__(self, root: Path, vocabulary: Vocabulary, params: AnyService | None = None) -> None:
        self._root, self._given = root, params
        self.vocabulary = vocabulary
        self.answers = Answers(root / ".cache" / "answers")

    @cached_property
    def params(self) -> AnyService:
        """The service. Raises StageformerError when ``params.yaml`` names none."""
        if self._given is not None:
            return self._given
        path = self._root / "params.yaml"
        found = parse(TrainEncoder, read_yaml(path).get("train_encoder"), "train_encoder").service
        if found is None:
            raise StageformerError(
                f"{path}: train_encoder.service is null, so that nobody can be asked for the vector of a text; set it "
                "to the service that the encoder was made with"
            )
        return found

    @cached_property
    def source(self) -> VectorService:
        """What asks, and records the answers."""
        found: VectorService = chosen("stageformer.vectors", self.params.kind).open_source(self.params, self.answers)
        return found

    def text(self, ids: Sequence[int]) -> str:
        """Return the text whose ids, ``<eos>`` at the end, these are: every character of it.

        Raises:
            StageformerError: an id stands for no bytes, since the vocabulary lacks some.
        """
        vocabulary = self.vocabulary
        if vocabulary.unk_id in ids:
            raise StageformerError(
                "a sentence holds <unk>, so that its text is not known any more; set tokenize.source.kind to "
                "'byte_bpe', vocab.min_frequency to 0 and vocab.max_size to null"
            )
        return text_of([vocabulary.tokens[index] for index in ids if index != vocabulary.eos_id])
