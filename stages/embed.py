"""Make the start of the embedding matrices and the table of positions.

Example::

    python -m stages.embed

Reads:  data/vocab/
Writes: data/embed/embedding.pt, data/embed/positions.pt
        reports/embed/metrics.json, positions.png, position_similarity.png, environment.json
"""

from __future__ import annotations

from pathlib import Path

import click

from stageformer.artifacts.files import write_json
from stageformer.artifacts.header import SPLITS
from stageformer.batching.pairs import check_lengths, read_pairs
from stageformer.building.embeddings import make_embeddings, save_embeddings
from stageformer.figures.positions import position_similarity, positions_heatmap
from stageformer.params.embed import Embed
from stageformer.provenance.cost import write_cost
from stageformer.provenance.environment import write_environment
from stageformer.text.vocabulary import load_vocabularies
from stages.common import friendly, read_group


@click.command()
@click.option("--params", "params_path", type=Path, default="params.yaml", help="The parameters.")
@click.option("--vocab", type=Path, default="data/vocab", help="Folder of the stage vocab.")
@click.option("--output", type=Path, default="data/embed", help="Folder for the tensors.")
@click.option("--reports", type=Path, default="reports/embed", help="Folder for metrics and pictures.")
@friendly
def main(params_path: Path, vocab: Path, output: Path, reports: Path) -> None:
    """Make the start of the embedding matrices and the table of positions."""
    params = read_group(params_path, "embed", Embed)
    vocabularies = load_vocabularies(vocab)
    for split in SPLITS:
        check_lengths(read_pairs(vocab / f"{split}.parquet", vocabularies), split, params.max_length)
    start, found = make_embeddings(params, vocabularies)
    save_embeddings(output, start)
    positions_heatmap(start.positions, reports / "positions.png")
    position_similarity(start.positions, reports / "position_similarity.png")
    write_json(
        reports / "metrics.json",
        {
            "source_vocabulary": len(start.source),
            "target_vocabulary": len(start.target),
            "parameters": start.source.numel() + (0 if start.shared else start.target.numel()),
            "pretrained_tokens_found": found,
        },
    )
    write_environment(reports)
    write_cost(reports)


if __name__ == "__main__":
    main()
