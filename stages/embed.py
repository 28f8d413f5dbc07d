"""Make the initial embedding matrices, and the table of positions.

Example: ``python -m stages.embed``

Reads:  data/vocab/, and for a source of vectors data/tokenize/tokenizer/ and data/ingest/train.parquet
Writes: data/embed/embedding.pt                    a matrix for both sides, or one for each
        data/embed/positions.pt                    the table of positional encodings
        data/embed/lookup.parquet                  how each token got its vector
        data/embed/answers/                        what a service answered, so that nobody asks again
        reports/embed/metrics.json                 sizes, and how many tokens got their vectors in which way
        reports/embed/positions.png                the table
        reports/embed/position_similarity.png      how alike two positions are
        reports/embed/lookup.png                   how the tokens got their vectors
"""

from __future__ import annotations

from pathlib import Path

from stageformer.artifacts.answers import Answers
from stageformer.artifacts.files import write_json
from stageformer.batching.pairs import check_splits
from stageformer.building.embeddings import save_embeddings
from stageformer.building.start import Text, counts, make_embeddings, metrics, summary, write_lookups
from stageformer.compute.instruction_set import use_instruction_set
from stageformer.console.output import say
from stageformer.figures.lookup import lookup_picture
from stageformer.figures.positions import position_similarity, positions_heatmap
from stageformer.params.compute import Compute
from stageformer.params.embed import Embed
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage(
    "embed",
    {"embed": Embed, "compute.instruction_set": Compute},
    vocab="data/vocab",
    tokenizer="data/tokenize/tokenizer",
    ingest="data/ingest",
    cache=".cache",
)
def main(
    params: Embed, instruction_set: str,
    *, vocab: Path, tokenizer: Path, ingest: Path, cache: Path, output: Path, reports: Path,
) -> None:  # fmt: skip
    """Run the stage."""
    use_instruction_set(instruction_set)
    vocabularies = load_vocabularies(vocab)
    check_splits(vocab, vocabularies, params.max_length)
    answers = Answers(cache / "answers")
    text = Text(tokenizer, ingest / "train.parquet", answers)
    start, lookups = make_embeddings(params, vocabularies, text)
    for side, lookup in lookups.items():
        if lookup.rows:
            say(summary(side, lookup))
    save_embeddings(output, start)
    write_lookups(output / "lookup.parquet", vocabularies, start, lookups)
    answers.save_used(output / "answers")
    write_json(reports / "metrics.json", metrics(start, lookups))
    positions_heatmap(start.positions, reports / "positions.png")
    position_similarity(start.positions, reports / "position_similarity.png")
    lookup_picture({side: counts(lookup) for side, lookup in lookups.items()}, reports / "lookup.png")


if __name__ == "__main__":
    main()
