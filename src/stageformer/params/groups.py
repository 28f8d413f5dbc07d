"""The whole of ``params.yaml``: every group, and the checks that span groups.

Only what needs the whole file imports this module; a stage imports only its own group, so that a change in one group's
class does not rerun the others.
"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator
from pydantic.fields import FieldInfo

from stageformer.params.base import Params, group_of, parse
from stageformer.params.compute import Compute
from stageformer.params.earlier import is_earlier
from stageformer.params.embed import Embed
from stageformer.params.encode import Encode
from stageformer.params.evaluate import Evaluate
from stageformer.params.export import Export
from stageformer.params.head import Head
from stageformer.params.ingest import Ingest
from stageformer.params.logging import Logging
from stageformer.params.messages import ParameterError
from stageformer.params.model import Model, stated
from stageformer.params.tokenize import Tokenize
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.params.translate import Translate
from stageformer.params.vocab import Vocab


class Parameters(Params):
    """Every group of parameters, in the order of the file."""

    ingest: Ingest
    tokenize: Tokenize
    vocab: Vocab
    embed: Embed
    model: Model
    train_encoder: TrainEncoder
    encode: Encode
    train_decoder: TrainDecoder
    translate: Translate
    evaluate: Evaluate
    export: Export
    head: Head
    compute: Compute
    logging: Logging

    @model_validator(mode="after")
    def _groups_fit_together(self) -> Self:
        d_model = self.embed.d_model
        for name, layers in (("train_encoder", self.train_encoder), ("train_decoder", self.train_decoder)):
            try:
                layers.stack_config(self.model, d_model)
            except ValueError as error:
                own = getattr(layers, str(error).partition(" ")[0])
                raise ValueError(f"{'model' if own is None else name}.{error} of embed") from None
        if self.compute.sharded and getattr(self.embed.source, "project", "") == "learned":
            raise ValueError(
                "compute.sharded is true, but embed.source.project 'learned' has a product for a matrix, which is not "
                "split between processes; set one of them to another value"
            )
        if self.vocab.shared and not self.tokenize.is_joint:
            raise ValueError(
                "vocab.shared is true, but tokenize.target is a tokenizer of its own; set vocab.shared to false, or "
                "tokenize.target to null"
            )
        if (
            self.train_decoder.target_embedding == "train_encoder"
            and self.train_encoder.trained_by in ("masked", "next_token")
            and not self.vocab.shared
        ):
            raise ValueError(
                "train_decoder.target_embedding is 'train_encoder', but the objective "
                f"{self.train_encoder.objective!r} trains no target embedding when vocab.shared is false; use 'embed'"
            )
        if self.train_encoder.trained_by == "pretrained":
            self._check_pretrained()
        if self.train_encoder.trained_by == "service":
            self._check_service()
        if self.train_encoder.way == "staged" and self.encode.layers != "last":
            self._check_layers()
        if self.train_decoder.finetune_encoder:
            self._check_finetuning()
        if self.tokenize.has_ids and (self.vocab.min_frequency or self.vocab.max_size is not None):
            raise ValueError(
                "vocab.min_frequency and vocab.max_size would drop ids that the tokenizer 'pretrained' brings; set "
                "them to 0 and null"
            )
        if self.tokenize.source.kind == "pretrained" and self.train_encoder.trained_by == "masked":
            raise ValueError(
                "train_encoder.objective is 'masked', which needs ids that are made here, but tokenize.source.kind is "
                "'pretrained'"
            )
        for side, family in (("source", self.tokenize.source), ("target", self.tokenize.target)):
            if family and "huggingface" in self.export.formats:
                name = f"kind {family.kind!r}" if not family.for_transformers else "case 'true'"
                if not family.for_transformers or family.case == "true":
                    raise ValueError(
                        f"export.formats has huggingface, but tokenize.{side}.{name} cannot be expressed there; take "
                        "huggingface out of export.formats"
                    )
        if not self.ingest.has_targets:
            self._check_one_side()
        return self

    def _check_one_side(self) -> None:
        what = f"ingest.{self.ingest.why_no_targets}, so the corpus has no targets, but"
        if self.train_encoder.trained_by == "translation" or self.train_encoder.way == "joint":
            name = "way 'joint'" if self.train_encoder.way == "joint" else "objective 'translation'"
            raise ValueError(f"{what} train_encoder.{name} needs them; choose another train_encoder.objective")
        if self.tokenize.target is not None:
            raise ValueError(f"{what} tokenize.target, which has no text then, is a tokenizer; set it to null")

    def limits(self) -> str | None:
        """Return one line on what these parameters leave out without being wrong, or None."""
        if not self.ingest.has_targets:
            return (
                "the corpus has one side alone: `dvc repro encode` runs the stages up to the memory; "
                "train_decoder and those after it need targets"
            )
        if self.train_encoder.trained_by == "service":
            most = int(self.translate.max_length_ratio + self.translate.max_length_offset)
            return (
                f"the memory of a sentence is one vector, so that a translation has at most {most} tokens with <eos> "
                "(translate.max_length_ratio + translate.max_length_offset)"
            )
        if self.train_decoder.freeze_embedding and self.train_decoder.tie_output:
            return (
                "train_decoder.freeze_embedding: with tie_output, the output projection is the target embedding, and "
                "does not learn either; `tie_output: false` gives it a matrix of its own"
            )
        return None

    def _check_pretrained(self) -> None:
        what = "train_encoder.objective is 'pretrained', but"
        path = self.train_encoder.pretrained.path
        if path is None:
            raise ValueError(f"{what} train_encoder.pretrained.path is null; set it to the folder of the model")
        if getattr(self.tokenize.source, "path", None) != path or self.tokenize.source.kind != "pretrained":
            raise ValueError(
                f"{what} its own tokenizer has to cut the sources: set tokenize.source.kind to 'pretrained' and "
                f"tokenize.source.path to {path!r}"
            )
        self._check_encoder_of_others(what)

    def _check_service(self) -> None:
        what = "train_encoder.objective is 'service', but"
        if self.train_encoder.service is None:
            raise ValueError(f"{what} train_encoder.service is null; say there who is asked for the vectors")
        if self.tokenize.source.kind != "byte_bpe" or self.tokenize.source.case == "true":
            name = "kind" if self.tokenize.source.kind != "byte_bpe" else "case"
            raise ValueError(
                f"{what} tokenize.source.{name} is {getattr(self.tokenize.source, name)!r}; the service is given the "
                "text, of which only kind 'byte_bpe', with case 'keep' or 'lower', keeps every character in its ids"
            )
        if self.vocab.min_frequency or self.vocab.max_size is not None:
            raise ValueError(
                f"{what} vocab.min_frequency and vocab.max_size would drop tokens that the text is made of; set them "
                "to 0 and null"
            )
        if self.encode.layers != "last":
            raise ValueError(f"{what} encode.layers is {self.encode.layers!r}, and a service has none; use 'last'")
        if self.ingest.labels == "tags":
            raise ValueError(f"{what} ingest.labels is 'tags', which needs a vector for each token; use 'one'")
        self._check_encoder_of_others(what)

    def _check_encoder_of_others(self, what: str) -> None:
        if self.train_decoder.target_embedding == "train_encoder":
            raise ValueError(
                f"{what} train_decoder.target_embedding is 'train_encoder', which trains no target embedding then; "
                "use 'embed'"
            )
        if self.encode.dropout_copies:
            raise ValueError(
                f"{what} encode.dropout_copies is {self.encode.dropout_copies}, and it has no dropout here; set it to "
                "0 (train_decoder.memory_dropout and memory_noise are the decoder's)"
            )
        if self.train_decoder.finetune_encoder:
            raise ValueError(
                f"{what} train_decoder.finetune_encoder is true, and only an encoder of ours is trained further; set "
                "it to false"
            )
        if self.export.formats:
            raise ValueError(
                f"{what} export.formats has {self.export.formats[0]}, and no engine of others has such an encoder; "
                "set export.formats to [] (our own format is written anyway)"
            )

    def _check_layers(self) -> None:
        what = f"encode.layers is {self.encode.layers!r}, but"
        layers = self.encode.layers if isinstance(self.encode.layers, list) else []
        last: int = stated(self.train_encoder, self.model, "num_layers")
        if self.train_encoder.trained_by != "pretrained" and max(layers, default=0) > last:
            raise ValueError(f"{what} the encoder has {last} (model.num_layers); choose layers from 0 to {last}")
        if self.train_decoder.finetune_encoder:
            raise ValueError(f"{what} train_decoder.finetune_encoder is true, which reads the last alone; use 'last'")
        if self.export.formats and layers != [last]:
            raise ValueError(
                f"{what} export.formats has {self.export.formats[0]}, and no engine of others reads several layers; "
                "use 'last', or set export.formats to []"
            )

    def _check_finetuning(self) -> None:
        what = "train_decoder.finetune_encoder is true, but"
        if self.train_encoder.way == "joint":
            raise ValueError(f"{what} train_encoder.way 'joint' trains the encoder from the start; set it to false")
        if self.train_encoder.objective == "none":
            raise ValueError(
                f"{what} train_encoder.objective is 'none', which leaves nothing to train further; choose an "
                "objective, or train_encoder.way 'joint'"
            )
        saved = {
            "train_decoder.memory_dropout": self.train_decoder.memory_dropout,
            "encode.dropout_copies": self.encode.dropout_copies,
        }
        for name, value in saved.items():
            if value:
                raise ValueError(
                    f"{what} {name} is {value!r}, which acts only on saved encoder output; "
                    "set it to 0"
                )


def field_at(key: str) -> FieldInfo:
    """Return the declaration of a parameter by its dotted name, such as ``translate.beam_size``."""
    cls: type[Params] | None = Parameters
    for name in key.split("."):
        if cls is None:
            raise KeyError(key)
        field = cls.model_fields[name]
        cls = group_of(field)
    return field


def check(values: object) -> Parameters:
    """Check a whole ``params.yaml``, given as a mapping. Raises StageformerError with one line on the first mistake."""
    if is_earlier(values):
        raise ParameterError(
            "the file is of an earlier version: what encoder and decoder share is in the group model now, where "
            "train_encoder and train_decoder have null; `stageformer use RECIPE` writes it anew, and says what of it "
            "was changed by hand",
            "train_encoder",
        )
    return parse(Parameters, values, "")
