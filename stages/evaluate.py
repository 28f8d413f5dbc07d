"""Turn the hypotheses into text, score them, and draw the attention of the model.

Example: ``python -m stages.evaluate``

Reads:  data/ingest/, data/tokenize/tokenizer/, data/vocab/, data/train_decoder/model.pt
        data/translate/hypotheses.parquet, reports/translate/metrics.json
        reports/{train_encoder,train_decoder}/plots/metrics/
Writes: data/evaluate/translations.parquet         id, source, references, translation, greedy, scores
        reports/evaluate/translations.json         the same without greedy, for git: a sentence a line
        reports/evaluate/metrics.json              scores of beam, greedy and the copied source; perplexity; signatures
        reports/evaluate/by_length.csv             scores of beam search by words of the source
        reports/evaluate/by_rarest_word.csv        the same by occurrences in train of the rarest word of the source
        reports/evaluate/attention/*.png           four pictures for each of some sentences
        reports/evaluate/embedding.{csv,png}       the most frequent tokens in two dimensions
        reports/evaluate/learning_curves.{csv,png} losses of both trainings, one after the other
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from stageformer.artifacts.tables import check_table
from stageformer.building.model_files import load_model
from stageformer.compute.device import prepare
from stageformer.figures.attention import draw_attention, sentences_to_draw
from stageformer.figures.embedding import project_embeddings, write_projections
from stageformer.figures.learning_curves import read_curves, write_curves
from stageformer.params.compute import Compute
from stageformer.params.evaluate import Evaluate
from stageformer.scoring.report import read_search, read_translations
from stageformer.scoring.settings import Settings
from stageformer.scoring.writing import write_scores
from stageformer.text.conversion import target_text
from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from stages.common import stage


@stage(
    "evaluate",
    {"evaluate": Evaluate, "compute": Compute},
    ingest="data/ingest",
    tokenizer="data/tokenize/tokenizer",
    vocab="data/vocab",
    model="data/train_decoder/model.pt",
    translate="data/translate",
    translate_reports="reports/translate",
    train_encoder_reports="reports/train_encoder",
    train_decoder_reports="reports/train_decoder",
)
def main(
    params: Evaluate, compute: Compute, *, ingest: Path, tokenizer: Path, vocab: Path, model: Path, translate: Path,
    translate_reports: Path, train_encoder_reports: Path, train_decoder_reports: Path, output: Path, reports: Path,
) -> None:
    """Run the stage."""
    prepare(compute.on_cpu())  # A few pictures are not worth waking a GPU.
    tokenizers = load_tokenizers(tokenizer)
    vocabularies = load_vocabularies(vocab, tokenizers.parts)
    transformer, _ = load_model(model, vocabularies=vocabularies)
    search = read_search(translate_reports / "metrics.json")
    table, hypotheses = f"{search['split']}.parquet", translate / "hypotheses.parquet"
    check_table(hypotheses, "hypotheses", vocabularies.parts)
    to_text = partial(target_text, tokenizer=tokenizers.target, vocabulary=vocabularies.target)
    target = transformer.decoder.embedding
    longest = None if target.positions is None else target.config.max_length
    translations = read_translations(ingest / table, hypotheses, to_text, longest=longest)
    drawn = sentences_to_draw(translations, hypotheses, vocab / table, params.num_pictures)

    settings, train = Settings.of_params(params), ingest / "train.parquet"
    write_scores(translations, settings, search, output=output, reports=reports, train=train)
    draw_attention(transformer, vocabularies, drawn, reports / "attention")
    write_projections(project_embeddings(transformer, vocabularies), reports)
    write_curves(read_curves([train_encoder_reports, train_decoder_reports]), reports)


if __name__ == "__main__":
    main()
