"""Each side its own tokenizer, from the text to the exported model."""

from __future__ import annotations

import json

import pandas
import tokenizers

from stageformer.text.pair import load_tokenizers
from stageformer.text.vocabulary import load_vocabularies
from tests.families import values


def test_letters_to_tokens_that_are_given(repository) -> None:
    """As letters to phonemes: characters on the source side, what stands between blanks on the target side."""
    repository.set(tokenize__source=values("char", case="lower"), tokenize__target=values("none"), vocab__shared=False)
    assert repository.repro("export")[0][:3] == ["check", "tokenize", "vocab"]
    made = load_tokenizers(repository.root / "data/tokenize/tokenizer")
    assert (made.source.kind, made.target.kind) == ("char", "none")
    vocabularies = load_vocabularies(repository.root / "data/vocab")
    assert "lights" not in vocabularies.source
    assert "Lampen" in vocabularies.target
    scores = json.loads((repository.root / "reports/evaluate/metrics.json").read_text())
    assert scores["beam"]["chrf"] >= 0
    exported = json.loads((repository.root / "reports/export/metrics.json").read_text())
    assert exported["ctranslate2"]["greedy_equal"] == 100, "not the same texts as ours"


def test_byte_pairs_of_clip_to_a_given_sentencepiece_model(repository, clip, tmp_path) -> None:
    """Two tokenizers of others, each with its ids, up to another engine."""
    import sentencepiece

    texts = pandas.read_parquet(repository.root / "data/ingest/train.parquet").target
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts), model_prefix=str(tmp_path / "m"), vocab_size=40, hard_vocab_limit=False,
        minloglevel=2,
    )  # fmt: skip
    repository.set(
        tokenize__source=values("pretrained", path=str(clip)),
        tokenize__target=values("pretrained", path=str(tmp_path / "m.model")),
        vocab__shared=False,
        export__formats=["ctranslate2"],
    )
    repository.repro("export")
    vocabularies = load_vocabularies(repository.root / "data/vocab")
    assert (vocabularies.source.bos_id, vocabularies.source.eos_id) == (49406, 49407)
    (row,) = pandas.read_parquet(repository.root / "data/vocab/test.parquet").target_ids.head(1)
    sentence = pandas.read_parquet(repository.root / "data/ingest/test.parquet").target[0]
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    assert row.tolist()[1:-1] == theirs.encode(sentence)
    assert [row[0], row[-1]] == [theirs.bos_id(), theirs.eos_id()]
    exported = json.loads((repository.root / "reports/export/metrics.json").read_text())
    assert exported["ctranslate2"]["greedy_equal"] == 100


def test_what_hugging_face_cannot_have_is_refused_before_anything_runs(repository, clip) -> None:
    repository.set(
        tokenize__source=values("pretrained", path=str(clip)), vocab__shared=True, export__formats=["huggingface"]
    )
    run = repository.run_dvc(repository.root, "repro", "check")
    assert run.returncode != 0
    assert "tokenize.source.kind 'pretrained' cannot be expressed" in run.stdout + run.stderr


def test_the_vocabulary_of_bert_to_subwords(repository, bert) -> None:
    """The ids of the source are those of the files; nothing in the pipeline takes them for ours."""
    repository.set(
        tokenize__source=values("pretrained", path=str(bert)), tokenize__target=values("bpe"), vocab__shared=False,
        export__formats=["ctranslate2"],
    )  # fmt: skip
    repository.repro("export")
    vocabularies = load_vocabularies(repository.root / "data/vocab")
    assert (vocabularies.source.pad_id, vocabularies.source.eos_id) == (0, 102)
    (row,) = pandas.read_parquet(repository.root / "data/vocab/test.parquet").source_ids.head(1)
    sentence = pandas.read_parquet(repository.root / "data/ingest/test.parquet").source[0]
    theirs = tokenizers.BertWordPieceTokenizer(str(bert / "vocab.txt"), lowercase=True)
    assert row.tolist() == [*theirs.encode(sentence, add_special_tokens=False).ids, 102]
    exported = json.loads((repository.root / "reports/export/metrics.json").read_text())
    assert exported["ctranslate2"]["greedy_equal"] == 100


def test_words_of_nltk_in_subwords_to_words_of_spacy(repository) -> None:
    """Only the two cutters that were chosen are in the manifest; `export` keeps what it can express."""
    repository.set(
        tokenize__source=values("cut", cutter="nltk", vocabulary_size=70),
        tokenize__target=values("cut", cutter="spacy", language="de", subwords="none", vocabulary_size=None),
        vocab__shared=False,
        export__formats=["ctranslate2"],
    )
    repository.repro("export")
    made = load_tokenizers(repository.root / "data/tokenize/tokenizer")
    assert (made.source.kind, made.target.kind, made.source.size, made.target.size) == ("cut", "cut", 70, None)
    counts = json.loads((repository.root / "reports/tokenize/metrics.json").read_text())["test"]
    assert counts["source"]["round_trip_rate"] == counts["target"]["round_trip_rate"] == 1
    versions = json.loads((repository.root / "reports/tokenize/environment.json").read_text())["versions"]
    assert versions.keys() >= {"nltk", "spacy"}
    assert "▁Lampen" in load_vocabularies(repository.root / "data/vocab").target
    exported = json.loads((repository.root / "reports/export/metrics.json").read_text())
    assert exported["ctranslate2"]["greedy_equal"] == 100
    lines = (repository.root / "data/check/code/tokenize.txt").read_text()
    assert "text/cutters/nltk.py" in lines
    assert "text/cutters/spacy.py" in lines
    assert "text/cutters/moses.py" not in lines
