"""Train the decoder on the saved memory, or encoder and decoder together.

Example::

    python -m stages.train_decoder

Reads:  data/vocab/, data/embed/, data/train_encoder/encoder.pt, data/encode/
Writes: data/train_decoder/model.pt
        reports/train_decoder/metrics.json, environment.json, plots/metrics/ (learning curves)
"""

from __future__ import annotations

from pathlib import Path

import click

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
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stageformer.provenance.fingerprint import fingerprint
from stageformer.text.vocabulary import load_vocabularies
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.decode_memory import DecodeMemory
from stageformer.training.loop import train
from stageformer.training.tasks import Task, Translation
from stages.common import friendly, read_group
from stages.curves import curves, report_speed

TRAINING_SPLITS = ("train", "valid")


@click.command()
@click.option("--params", "params_path", type=Path, default="params.yaml", help="The parameters.")
@click.option("--vocab", type=Path, default="data/vocab", help="Folder of the stage vocab.")
@click.option("--embed", type=Path, default="data/embed", help="Folder of the stage embed.")
@click.option("--encoder", type=Path, default="data/train_encoder/encoder.pt", help="The encoder.")
@click.option("--memory", type=Path, default="data/encode", help="Folder of the stage encode.")
@click.option("--output", type=Path, default="data/train_decoder", help="Folder for the model.")
@click.option("--reports", type=Path, default="reports/train_decoder", help="Folder for metrics and curves.")
@friendly
def main(
    params_path: Path, vocab: Path, embed: Path, encoder: Path, memory: Path, output: Path, reports: Path
) -> None:
    """Train the decoder on the saved memory, or encoder and decoder together."""
    params = read_group(params_path, "train_decoder", TrainDecoder)
    joint = read_group(params_path, "train_encoder", TrainEncoder).way == "joint"
    trains_encoder = joint or params.finetune_encoder
    compute = read_group(params_path, "compute", Compute)
    launch(compute)
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    pad_id = vocabularies.target.pad_id
    splits = {split: read_pairs(vocab / f"{split}.parquet", vocabularies) for split in TRAINING_SPLITS}
    encoder_model, encoder_metadata = load_model(encoder, "encoder")
    model = build_model(params, encoder_model, load_embeddings(embed), trains_encoder=trains_encoder).to(device)
    task: Task
    if trains_encoder:
        task = Translation(model, splits, pad_id, device)
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
        task = DecodeMemory(model.decoder, splits, memories, Dropout(params.memory_dropout), pad_id, device)
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
            write_environment(reports, compute)
            write_cost(reports)
            checkpoints.remove()


if __name__ == "__main__":
    main()
