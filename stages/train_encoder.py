"""Make the encoder: trained by an objective, or left as initialised.

Example: ``python -m stages.train_encoder``

Reads:  data/vocab/, data/embed/
Writes: data/train_encoder/encoder.pt
        reports/train_encoder/metrics.json, environment.json, plots/metrics/ (learning curves)
"""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.batching.pairs import read_pairs
from stageformer.building.build_encoder import build_encoder_model
from stageformer.building.embeddings import load_embeddings
from stageformer.building.model_files import save_model
from stageformer.compute.device import prepare
from stageformer.compute.processes import joined, launch
from stageformer.params.compute import Compute
from stageformer.params.train_encoder import TrainEncoder
from stageformer.provenance.fingerprint import fingerprint
from stageformer.text.vocabulary import SPECIAL_TOKENS, load_vocabularies
from stageformer.training.checkpoints import Checkpoints
from stageformer.training.curves import curves, report_speed
from stageformer.training.loop import train
from stageformer.training.tasks.base import Task
from stageformer.training.tasks.masked import MaskedTokens
from stageformer.training.tasks.translation import Translation
from stages.common import stage


@stage("train_encoder", {"train_encoder": TrainEncoder, "compute": Compute}, vocab="data/vocab", embed="data/embed")
def main(params: TrainEncoder, compute: Compute, *, vocab: Path, embed: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    launch(compute)
    device = prepare(compute)
    vocabularies = load_vocabularies(vocab)
    vocabulary = vocabularies.source
    splits = {split: read_pairs(vocab / f"{split}.parquet", vocabularies) for split in ("train", "valid")}
    model = build_encoder_model(params, load_embeddings(embed)).to(device)
    task: Task | None = None
    if params.trained_by == "translation":
        task = Translation(model, splits, vocabulary.pad_id, device, params.training.label_smoothing)
    elif params.trained_by == "masked":
        task = MaskedTokens(
            model.encoder,
            splits,
            masked_fraction=params.masked_fraction,
            pad_id=vocabulary.pad_id,
            unk_id=vocabulary.unk_id,
            num_special=len(SPECIAL_TOKENS),
            device=device,
            seed=params.training.seed,
            label_smoothing=params.training.label_smoothing,
        )
    checkpoints = Checkpoints("train_encoder", fingerprint([params, compute], [vocab, embed]))
    with joined(compute, device) as processes:
        with curves(reports, processes) as log:
            if task is None:
                metrics: dict[str, float] = {"updates": 0}
            else:
                outcome = train(task, params.training, compute, log, "train_encoder", processes, checkpoints)
                metrics = outcome.metrics
        if processes.is_first:
            if task is not None:
                report_speed("train_encoder", outcome)
            save_model(output / "encoder.pt", "encoder", model.cpu(), {"objective": params.trained_by})
            write_json(reports / "metrics.json", metrics)
            checkpoints.remove()


if __name__ == "__main__":
    main()
