"""Train the decoder on the saved memory, or encoder and decoder together.

Example: ``python -m stages.train_decoder``

Reads:  data/vocab/, data/embed/, data/train_encoder/encoder.pt, data/encode/
Writes: data/train_decoder/model.pt
        reports/train_decoder/metrics.json, environment.json, plots/metrics/ (learning curves)
"""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.batching.pairs import read_pairs
from stageformer.building.build_decoder import build_model
from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import load_model, save_model
from stageformer.compute.device import prepare
from stageformer.compute.processes import joined, launch
from stageformer.memory.store import dropout_copies, open_memory
from stageformer.model.dropout import Dropout
from stageformer.params.compute import Compute
from stageformer.params.train_decoder import TrainDecoder
from stageformer.params.train_encoder import TrainEncoder
from stageformer.provenance.fingerprint import fingerprint
from stageformer.text.vocabulary import load_vocabularies
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.curves import curves, report_speed
from stageformer.training.loop import train
from stageformer.training.tasks.base import Task
from stageformer.training.tasks.decode_memory import DecodeMemory
from stageformer.training.tasks.translation import Translation
from stages.common import stage

TRAINING_SPLITS = ("train", "valid")


@stage(
    "train_decoder",
    {"train_decoder": TrainDecoder, "train_encoder.way": TrainEncoder, "compute": Compute},
    vocab="data/vocab",
    embed="data/embed",
    encoder="data/train_encoder/encoder.pt",
    memory="data/encode",
)
def main(
    params: TrainDecoder, way: str, compute: Compute, *, vocab: Path, embed: Path, encoder: Path, memory: Path,
    output: Path, reports: Path,
) -> None:
    """Run the stage."""
    joint = way == "joint"
    trains_encoder = joint or params.finetune_encoder
    launch(compute)
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    pad_id = vocabularies.target.pad_id
    splits = {split: read_pairs(vocab / f"{split}.parquet", vocabularies) for split in TRAINING_SPLITS}
    encoder_model, encoder_metadata = load_model(encoder, "encoder")
    model = build_model(params, encoder_model, load_embeddings(embed), trains_encoder=trains_encoder).to(device)
    task: Task
    if trains_encoder:
        task = Translation(model, splits, pad_id, device, params.training.label_smoothing)
    else:
        made_by = encoder_metadata["encoder_fingerprint"]
        # Where there are copies with dropout, the decoder learns from them alone, as if the encoder trained along.
        copies = dropout_copies(memory) or [memory / "train"]
        memories = {
            split: [open_memory(folder, pairs.ids, made_by, pairs.source.lengths) for folder in folders]
            for split, folders, pairs in (
                ("train", copies, splits["train"]), ("valid", [memory / "valid"], splits["valid"])
            )
        }
        dropout, smoothing = Dropout(params.memory_dropout), params.training.label_smoothing
        task = DecodeMemory(model.decoder, splits, memories, dropout, pad_id, device, smoothing)
    inputs = [vocab, embed, encoder, *([] if trains_encoder else [memory])]
    checkpoints = Checkpoints("train_decoder", fingerprint([params, compute], inputs))
    with joined(compute, device) as processes:
        with curves(reports, processes) as log:
            outcome = train(task, params.training, compute, log, "train_decoder", processes, checkpoints)
        if processes.is_first:
            report_speed("train_decoder", outcome)
            encoder_was = "joint" if joint else "finetune" if params.finetune_encoder else "frozen"
            save_model(output / "model.pt", "model", model.cpu(), {"encoder": encoder_was})
            write_json(reports / "metrics.json", outcome.metrics)
            checkpoints.remove()


if __name__ == "__main__":
    main()
