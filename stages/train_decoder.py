"""Train the decoder on the saved memory, or encoder and decoder together.

Example: ``python -m stages.train_decoder``

Reads:  data/vocab/, data/embed/, data/train_encoder/encoder.pt, data/encode/
Writes: data/train_decoder/model.pt                encoder and decoder
        reports/train_decoder/metrics.json         updates, loss and metrics on valid, number of weights
        reports/train_decoder/plots/metrics/       learning curves, a TSV for each
"""

from __future__ import annotations

from pathlib import Path

from stageformer.batching.pairs import read_pairs
from stageformer.building.build import build_model
from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import load_model, save_model
from stageformer.compute.device import prepare
from stageformer.compute.processes import launch
from stageformer.memory.maker import maker_of
from stageformer.memory.store import layers_of
from stageformer.params.compute import Compute
from stageformer.params.logging import Logging
from stageformer.params.model import Model
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.provenance.fingerprint import training_fingerprint
from stageformer.text.vocabulary import load_vocabularies
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.decoder_task import decoder_task
from stageformer.training.run import run
from stages.common import stage


@stage(
    "train_decoder",
    {"train_decoder": TrainDecoder, "model": Model, "train_encoder.way": TrainEncoder, "compute": Compute},
    {"logging": Logging},
    vocab="data/vocab",
    embed="data/embed",
    encoder="data/train_encoder/encoder.pt",
    encode="data/encode",
)
def main(
    params: TrainDecoder, shared: Model, way: str, compute: Compute, logging: Logging, *, vocab: Path, embed: Path,
    encoder: Path, encode: Path, output: Path, reports: Path,
) -> None:
    """Run the stage."""
    launch(compute)
    device = prepare(compute)
    of_encoder = "joint" if way == "joint" else "finetune" if params.finetune_encoder else "frozen"
    memory = encode if of_encoder == "frozen" else None
    vocabularies = load_vocabularies(vocab)
    start = load_embeddings(embed, vocabularies)
    most = start.metadata["max_length"]
    splits = {split: read_pairs(vocab / f"{split}.parquet", vocabularies, most) for split in ("train", "valid")}
    encoder_model, _ = load_model(encoder, "encoder", vocabularies)
    encoder_model.encoder.kept = layers_of(memory) if memory else None
    model = build_model(params, shared, encoder_model, start, trains_encoder=memory is None).to(device)
    pad_id = vocabularies.source.pad_id
    task = decoder_task(params, model, splits, memory, maker_of(model.encoder, pad_id), pad_id, device)
    inputs = [vocab, embed, encoder, *([memory] if memory else [])]
    checkpoints = Checkpoints("train_decoder", training_fingerprint([params, shared, compute], inputs))

    def save() -> None:
        save_model(output / "model.pt", "model", model.cpu(), {"encoder": of_encoder}, vocabularies.parts)

    run(
        "train_decoder", task, params.training, compute, logging, device,
        reports=reports, checkpoints=checkpoints, save=save,
    )  # fmt: skip


if __name__ == "__main__":
    main()
