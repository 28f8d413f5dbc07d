"""Make the encoder: trained by its objective, read from a folder of others, a service, or left as initialised.

Example: ``python -m stages.train_encoder``

Reads:  data/vocab/, data/embed/, data/ingest/valid.parquet
Writes: data/train_encoder/encoder.pt              the encoder, with the shallow decoder that trained it
        reports/train_encoder/metrics.json         updates, loss and metrics on valid, number of weights
        reports/train_encoder/plots/metrics/       learning curves, a TSV for each
"""

from __future__ import annotations

from pathlib import Path

from stageformer.batching.pairs import count_characters, read_pairs
from stageformer.building.build import build_encoder_model
from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import save_model
from stageformer.compute.device import prepare
from stageformer.compute.processes import launch
from stageformer.memory.asker import Asker
from stageformer.memory.maker import encoder_of_others
from stageformer.params.compute import Compute
from stageformer.params.logging import Logging
from stageformer.params.model import Model
from stageformer.params.train_encoder import TrainEncoder
from stageformer.provenance.fingerprint import training_fingerprint
from stageformer.text.vocabulary import load_vocabularies
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.encoder_task import encoder_task
from stageformer.training.run import run
from stages.common import stage


@stage(
    "train_encoder",
    {"train_encoder": TrainEncoder, "model": Model, "compute": Compute},
    {"logging": Logging},
    vocab="data/vocab",
    embed="data/embed",
    ingest="data/ingest",
    cache=".cache",
)
def main(
    params: TrainEncoder, shared: Model, compute: Compute, logging: Logging, *, vocab: Path, embed: Path, ingest: Path,
    cache: Path, output: Path, reports: Path,
) -> None:
    """Run the stage."""
    if params.trained_by != "service":  # nothing is computed then, and each process would ask
        launch(compute)
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    start = load_embeddings(embed, vocabularies)
    most = start.metadata["max_length"]
    splits = {split: read_pairs(vocab / f"{split}.parquet", vocabularies, most) for split in ("train", "valid")}
    asker = Asker(cache.parent, vocabularies.source, params.service)
    of_others = encoder_of_others(params, asker, splits["train"].source[0], most)
    model = build_encoder_model(params, shared, start, of_others).to(device)
    characters = count_characters(ingest / "valid.parquet")
    task = encoder_task(params, model, splits, vocabularies.source, device, characters)
    checkpoints = Checkpoints("train_encoder", training_fingerprint([params, shared, compute], [vocab, embed]))

    def save() -> None:
        metadata = {"objective": params.trained_by}
        save_model(output / "encoder.pt", "encoder", model.cpu(), metadata, vocabularies.parts)

    run(
        "train_encoder", task, params.training, compute, logging, device,
        reports=reports, checkpoints=checkpoints, save=save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
