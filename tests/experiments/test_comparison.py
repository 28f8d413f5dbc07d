import json
import random
import shutil

import pytest
from click.testing import CliRunner

from stageformer.artifacts.reading import read_json
from stageformer.artifacts.tables import write_table
from stageformer.cli import main as stageformer
from stageformer.errors import StageformerError
from stageformer.experiments.comparison import compare
from stageformer.experiments.contents import read_translations
from stageformer.experiments.experiment import Experiment
from stageformer.scoring.metrics import Scorer
from stageformer.scoring.report import Translations
from stageformer.scoring.settings import Settings
from stageformer.scoring.translated import PATH, translations_json
from stageformer.scoring.writing import write_scores
from stageformer.terminal.comparison_text import comparison_text

WORDS = {"dog": "Hund", "cat": "Katze", "house": "Haus", "big": "groß", "small": "klein", "red": "rot"}


def sentences():
    generator = random.Random(0)
    sources = [" ".join(generator.choices(list(WORDS), k=generator.randint(2, 9))) for _ in range(60)]
    targets = [" ".join(WORDS[word] for word in source.split()) for source in sources]
    return sources, [[target] if row % 4 else [target, f"{target} ja"] for row, target in enumerate(targets)]


def write(root, share, seed, *, ids=None, changes=None, phonemes=False):
    """What the stage evaluate writes for a system that leaves out this share of the words."""
    sources, references = sentences()
    sources = [(changes or {}).get(row, source) for row, source in enumerate(sources)]
    generator = random.Random(seed)
    beam = [" ".join(word for word in texts[0].split() if generator.random() >= share) for texts in references]
    ids = ids or list(range(100, 160))
    translations = Translations(ids, sources, references, beam, [-1.0] * 60, beam)
    train = {"id": range(3), "source": ["dog cat house", "big dog", "dog small red"], "target": [""] * 3}
    train |= {"references": [[]] * 3, "group": [""] * 3}
    write_table(root / "train.parquet", "sentences", [train])
    write_scores(
        translations, Settings(False, "13a", None, phonemes), {"split": "test"}, output=root / "data/evaluate",
        reports=root / "reports/evaluate", train=root / "train.parquet",
    )  # fmt: skip
    # What comparing needs is in git, all of it.
    shutil.rmtree(root / "data")
    (root / "train.parquet").unlink()
    (root / "dvc.yaml").write_text("stages: {}\n")
    (root / "params.yaml").write_text(f"train_decoder: {{num_layers: {seed}, dropout: 1e-7}}\n")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    write(folder / "good", 0.1, 1)
    write(folder / "bad", 0.4, 2)
    return folder


def compared(root, first, second, num_changed=20):
    return compare(Experiment.open(first, root), Experiment.open(second, root), num_changed=num_changed)


def test_scores_are_those_of_the_metrics(root):
    found = compared(root, "good", "bad")
    assert (found.names, found.split, found.sentences, found.references) == (("good", "bad"), "test", 60, 75)
    for name in ("bleu", "chrf"):
        for experiment, score in (("good", found.differences[name].first), ("bad", found.differences[name].second)):
            reported = read_json(root / experiment / "reports/evaluate/metrics.json")
            assert score == pytest.approx(reported["beam"][name], abs=1e-4)
            assert found.differences[name].signature == reported[f"{name}_signature"]
        assert found.differences[name].high < 0
        assert found.differences[name].p < 0.01


def test_an_experiment_and_itself(root):
    found = compared(root, "good", "./good")
    assert (found.same_translations, found.changed) == (60, [])
    assert all((difference.difference, difference.p) == (0, 1) for difference in found.differences.values())
    assert "changed most" not in comparison_text(found)


def test_buckets_hold_all_sentences(root):
    found = compared(root, "good", "bad")
    for buckets in (found.by_length, found.by_rarest_word):
        assert sum(bucket.sentences for bucket in buckets) == 60
    assert {bucket.name for bucket in found.by_rarest_word} <= {"001", "002-004"}
    assert [bucket.name for bucket in found.by_length] == ["02", "03-04", "05-08", "09-16"]


def test_what_changed_most_comes_first(root):
    found = compared(root, "good", "bad", num_changed=60)
    sizes = [abs(change.chrf[1] - change.chrf[0]) for change in found.changed]
    assert sizes == sorted(sizes, reverse=True)
    assert 0 < sizes[-1]
    assert len(compared(root, "good", "bad", num_changed=3).changed) == 3
    first = found.changed[0]
    alone = Scorer([first.references], lowercase=False, bleu_tokenize="13a")
    assert first.chrf == tuple(alone.sentences([text])[0].chrf for text in first.translations)


def test_error_rates_are_compared_where_they_were_reported(root):
    write(root / "rates", 0.4, 2, phonemes=True)
    found = compared(root, "good", "rates").differences
    assert list(found) == ["bleu", "chrf", "per", "wer"]
    assert found["per"].difference > 0
    assert "PER %" in comparison_text(compared(root, "good", "rates"))


def test_the_order_of_the_rows_does_not_matter(root):
    shutil.copytree(root / "bad", root / "turned")
    path = root / "turned/reports/evaluate/translations.json"
    path.write_bytes(translations_json(read_translations(Experiment.open("turned", root))[::-1]))
    assert compared(root, "good", "turned").differences == compared(root, "good", "bad").differences


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"ids": [*range(100, 158), 7, 8]},
            "good and other translated different sentences: 2 of 60 are only in good, the first with id 158: ",
        ),
        (
            {"changes": {5: "another source"}},
            "good and other have different test sets: 1 of 60 sentences have another source, the first with id 105: ",
        ),
    ],
)
def test_different_test_sets(root, changes, message):
    write(root / "other", 0.1, 1, **changes)
    with pytest.raises(StageformerError) as caught:
        compared(root, "good", "other")
    assert str(caught.value).startswith(message)
    assert "equal parameters ingest.* and translate.split" in str(caught.value)


def run(root, monkeypatch, *arguments):
    monkeypatch.chdir(root)
    return CliRunner().invoke(stageformer, ["compare", *arguments])


def test_the_command(root, monkeypatch):
    result = run(root / "good", monkeypatch, "../bad", "--examples", "2")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0] == "A: ../bad, B: workspace"
    assert result.stdout.count("  source ") == 2
    assert max(map(len, lines)) <= 100
    assert "  1                   20" not in result.stdout, "zeros that only help sorting are left out"
    assert "Parameters that differ, A -> B:\n  train_decoder.num_layers: 2 -> 1\n\n" in result.stdout
    printed = run(root / "good", monkeypatch, "../bad", "--examples", "2", "--json").stdout
    written = json.loads(printed)
    assert written["names"] == ["../bad", "workspace"]
    assert written["samples"] == 1000
    assert len(written["changed"]) == 2
    bleu = written["differences"]["bleu"]
    assert bleu["low"] < bleu["difference"] < bleu["high"]
    assert written["parameters"] == [{"parameter": "train_decoder.num_layers", "old": 2, "new": 1}]
    assert written["since_commit"] == [None, None]
    assert run(root / "good", monkeypatch, "../bad", "--examples", "2", "--json").stdout == printed


def test_translations_that_name_the_columns_in_each_sentence_are_read(root, tmp_path):
    """As commits of before have them."""
    copy = shutil.copytree(root / "good", tmp_path / "copy")
    content = read_json(copy / PATH)
    rows = [dict(zip(content["columns"], row, strict=True)) for row in content["sentences"]]
    (copy / PATH).write_text(json.dumps({"sentences": rows}))
    assert read_translations(Experiment.open("copy", tmp_path)) == read_translations(Experiment.open("good", root))


@pytest.mark.parametrize(
    "damage",
    [{}, {"sentences": [{"id": 1}]}, {"sentences": 3}, {"columns": ["id"], "sentences": [[1, 2]]},
     {"columns": 1, "sentences": [[1]]}, {"id": "1"}, {"id": True}, {"references": ["a", None]},
     {"score": "low"}, {"exact_match": 1}, {"further": 1}],
)  # fmt: skip
def test_damaged_translations_are_one_line(root, damage, tmp_path):
    copy = shutil.copytree(root / "good", tmp_path / "copy")
    content = read_json(copy / PATH)
    first = dict(zip(content["columns"], content["sentences"][0], strict=True))
    content = {"sentences": [first | damage]} if damage and "sentences" not in damage else damage
    (copy / PATH).write_text(json.dumps(content))
    with pytest.raises(StageformerError, match=r"^copy: .*translations.json: not the translations of the stage"):
        compared(tmp_path, str(copy.name), str(root / "bad"))


def test_mistakes_are_one_line(root, monkeypatch, tmp_path):
    (root / "empty").mkdir(exist_ok=True)
    (root / "empty/dvc.yaml").write_text("")
    for name, message in (("nowhere", "is not a git revision"), ("../empty", "make it with `dvc repro`")):
        result = run(root / "good", monkeypatch, name)
        assert result.exit_code == 2
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
