"""Make the initial embedding matrices, and the table of positions.

Example: ``python -m stages.embed``

Reads:  data/vocab/
Writes: data/embed/embedding.pt                    a matrix for both sides, or one for each
        data/embed/positions.pt                    the table of positional encodings
        reports/embed/metrics.json                 sizes, and how many tokens pretrained vectors have
        reports/embed/positions.png                the table
        reports/embed/position_similarity.png      how alike two positions are
"""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.files import write_json
from stageformer.batching.pairs import check_splits
from stageformer.building.embeddings import make_embeddings, save_embeddings
from stageformer.compute.instruction_set import use_instruction_set
from stageformer.figures.positions import position_similarity, positions_heatmap
from stageformer.params.compute import Compute
from stageformer.params.embed import Embed
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage("embed", {"embed": Embed, "compute.instruction_set": Compute}, vocab="data/vocab")
def main(params: Embed, instruction_set: str, *, vocab: Path, output: Path, reports: Path) -> None:
    """Run the stage."""
    use_instruction_set(instruction_set)
    vocabularies = load_vocabularies(vocab)
    check_splits(vocab, vocabularies, params.max_length)
    start, found = make_embeddings(params, vocabularies)
    save_embeddings(output, start)
    write_json(reports / "metrics.json", start.metrics(found))
    positions_heatmap(start.positions, reports / "positions.png")
    position_similarity(start.positions, reports / "position_similarity.png")


if __name__ == "__main__":
    main()
