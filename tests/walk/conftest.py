import dataclasses

import pytest
import torch

from stageformer.decoding.sampling import Sampling
from stageformer.memory.sources.encoder import EncoderSource
from stageformer.model.transformer import Transformer
from stageformer.translator.engine import OwnEngine
from stageformer.translator.translator import Translator
from stageformer.walk.page import write_walk
from stageformer.walk.walked import walk_model

SENTENCE = "two  and five"
STRANGE = "two \u202eand\u202c \u9580 five one two three"
"""Controls of direction, a character that the vocabulary lacks, and enough tokens for labels to collide."""


@pytest.fixture(scope="session")
def translator(toy_root):
    return Translator.load(toy_root)


@pytest.fixture(scope="session")
def with_model(translator):
    """A function that returns the translator with a random model, the stacks of which have these settings."""

    def build(**changes):
        config = translator.model.config
        stacks = {side: dataclasses.replace(getattr(config, side), **changes) for side in ("encoder", "decoder")}
        torch.manual_seed(1)
        model = Transformer(dataclasses.replace(config, **stacks)).eval()
        source = EncoderSource(model.encoder, translator.vocabularies.source.pad_id)
        engine = OwnEngine(model.decoder, source, translator.vocabularies, translator.pool)
        return dataclasses.replace(translator, model=model, source=source, engine=engine)

    return build


@pytest.fixture(scope="session")
def walked(translator):
    return walk_model(translator, SENTENCE, name="toy")


@pytest.fixture(scope="session")
def bare(with_model):
    """A model of one head and nothing but attention, which has fewer layers, too."""
    return walk_model(with_model(attention_only=True, num_heads=1, num_layers=1), SENTENCE, name="bare")


@pytest.fixture(scope="session")
def pages(translator, walked, bare, with_model, tmp_path_factory):
    """The walk of one model, of two side by side, and of models that differ in how they are built and searched."""
    folder = tmp_path_factory.mktemp("walks")
    post = walk_model(with_model(norm="post", num_heads=1), SENTENCE, name="post", beam_size=1)
    write_walk([post], folder / "post.html")
    drawn = walk_model(with_model(norm="pre"), SENTENCE, name="drawn", sampling=Sampling(seed=1, top_k=5))
    write_walk([drawn], folder / "drawn.html")
    write_walk([bare], folder / "bare.html")
    write_walk([walked], folder / "one.html")
    write_walk([walked, bare], folder / "two.html")
    write_walk([walked, post], folder / "differ.html")
    write_walk([walk_model(translator, STRANGE, name="toy")], folder / "strange.html")
    write_walk([walk_model(translator, "m" * 30, name="toy")], folder / "long.html")
    return folder
