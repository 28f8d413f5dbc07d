import dataclasses
import json
import re
import shutil

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from stageformer.cli import main as stageformer
from stageformer.export.card import md5
from stageformer.export.formats.ctranslate2_int8 import CTranslate2Int8Format
from stageformer.translator.translator import Translator
from stages.evaluate import main as evaluate
from stages.export import main

pytest.importorskip("ctranslate2")
pytest.importorskip("transformers")

MODEL = "data/train_decoder/model.pt"


@pytest.fixture(scope="module")
def exported(translated_root, tmp_path_factory):
    """What the stages translate, evaluate and export leave."""
    root = shutil.copytree(translated_root, tmp_path_factory.mktemp("export") / "root")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert CliRunner().invoke(evaluate, []).exit_code == 0
        result = CliRunner().invoke(main, [])
    assert result.exit_code == 0, result.output
    assert "export: ctranslate2: " in result.stderr
    return root


@pytest.fixture
def root(exported, tmp_path, monkeypatch):
    root = shutil.copytree(exported, tmp_path / "root")
    monkeypatch.chdir(root)
    lock = {
        "stages": {
            "ingest": {"params": {"params.yaml": {"ingest": {"source": "lines"}}}},
            "export": {
                "deps": [{"path": MODEL, "md5": md5(root / MODEL)}, {"path": "stages/export.py", "md5": "0" * 32}],
                "params": {"params.yaml": {"export": {"license": None}}},
            },
        }
    }
    with (root / "dvc.lock").open("w") as file:
        YAML().dump(lock, file)
    return root


def front_matter(card):
    return YAML(typ="safe").load(card.split("---\n")[1])


def test_every_format_translates_as_we_do(exported):
    found = json.loads((exported / "reports/export/metrics.json").read_text())
    assert (found.pop("split"), found.pop("sentences")) == ("test", 40)
    ours = json.loads((exported / "reports/evaluate/metrics.json").read_text())["greedy"]["bleu"]
    assert set(found) == {"ctranslate2", "ctranslate2_int8", "huggingface"}
    here = json.loads((exported / "reports/export/on_this_cpu.json").read_text())
    assert set(here) == {"ctranslate2_int8"}
    assert set(found["ctranslate2_int8"]) == {"size_mib"}
    for name in ("ctranslate2", "huggingface"):
        assert found[name]["greedy_equal"] == 100
        assert (found[name]["bleu"], found[name]["bleu_difference"]) == (ours, 0)
    assert here["ctranslate2_int8"]["greedy_equal"] > 90
    assert found["ctranslate2_int8"]["size_mib"] < 0.6 * found["ctranslate2"]["size_mib"]
    speeds = json.loads((exported / "reports/export/speed.json").read_text())["sentences_per_second"]
    assert set(speeds) == {"stageformer", *found}


def test_the_same_inputs_give_the_same_bytes(exported, root):
    # Of an older export: CTranslate2 would take this vocabulary instead of its own, and answer <unk>.
    (root / "data/export/ctranslate2/shared_vocabulary.json").write_text('["<pad>", "<bos>", "<eos>", "<unk>"]')
    (root / "data/export/huggingface/target_tokenizer").mkdir()
    assert CliRunner().invoke(main, []).exit_code == 0
    for folder in ("data/export", "reports/export"):
        paths = sorted(path.relative_to(root) for path in (root / folder).rglob("*") if path.is_file())
        assert paths == sorted(path.relative_to(exported) for path in (exported / folder).rglob("*") if path.is_file())
        for path in paths:
            if path.name not in ("cost.json", "speed.json"):
                assert (root / path).read_bytes() == (exported / path).read_bytes(), path


def test_no_hashed_output_depends_on_eight_bit_products(exported, root, monkeypatch):
    """As on a CPU whose eight-bit products overflow: only the report that DVC does not know is another one."""
    whole = CTranslate2Int8Format.translate

    def overflowing(self, workload, folder):
        run = whole(self, workload, folder)
        if not self.same_on_every_cpu:
            run = dataclasses.replace(run, texts=["noise", *run.texts[1:]], ids=[[5, 5], *run.ids[1:]])
        return run

    monkeypatch.setattr(CTranslate2Int8Format, "translate", overflowing)
    assert CliRunner().invoke(main, []).exit_code == 0
    differing = {
        path.relative_to(root).as_posix()
        for folder in ("data/export", "reports/export")
        for path in (root / folder).rglob("*")
        if path.is_file() and path.read_bytes() != (exported / path.relative_to(root)).read_bytes()
    }
    assert differing - {"reports/export/cost.json", "reports/export/speed.json"} == {"reports/export/on_this_cpu.json"}
    row = r"^\| CTranslate2, int8 \| \d\.\d \| {} \|"
    assert re.search(row.format(r"depends on the CPU \|  \| "), (root / "data/export/README.md").read_text(), re.M)
    assert CliRunner().invoke(stageformer, ["export", "out"]).exit_code == 0
    found = json.loads((root / "reports/export/on_this_cpu.json").read_text())["ctranslate2_int8"]
    figures = rf"{found['greedy_equal']:.1f} \| {found['bleu']:.1f}"
    assert re.search(row.format(figures), (root / "out/README.md").read_text(), re.M)


def test_the_card(exported):
    card = (exported / "data/export/README.md").read_text()
    matter = front_matter(card)
    assert (matter["language"], matter["library_name"]) == (["en", "de"], "transformers")
    assert (matter["pipeline_tag"], matter["metrics"]) == ("translation", ["bleu", "chrf", "ter"])
    assert "license" not in matter
    scores = json.loads((exported / "reports/evaluate/metrics.json").read_text())
    assert f"`{scores['bleu_signature']}`" in card
    assert f"| beam search | {scores['beam']['bleu']:.1f} |" in card
    assert "Home Assistant" in card
    assert "- Licence of the data: apache-2.0\n- Licence of the model: not stated" in card
    assert f"| `{MODEL}` | `{md5(exported / MODEL)}` |" in card
    # A commit in an output of the stage would make it another output after every commit.
    assert "ommit" not in card


def test_the_command_makes_a_folder_to_publish(root):
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    (root / "out").mkdir()
    result = CliRunner().invoke(stageformer, ["export", "out", "--license", "mit", "--data-license", "cc-by-4.0"])
    assert result.exit_code == 0, result.output
    assert result.stdout == "out: stageformer, ctranslate2, ctranslate2_int8, huggingface\n"
    assert {path.name for path in (root / "out").iterdir()} >= {"README.md", "config.json", "ctranslate2_int8"}
    card = (root / "out/README.md").read_text()
    assert front_matter(card)["license"] == "mit"
    assert "- Licence of the data: cc-by-4.0\n- Licence of the model: mit" in card
    assert "Commit: " in card
    assert f"| `{MODEL}` | `{md5(root / MODEL)}` |" in card
    assert "stages/export.py" not in card
    assert json.loads((root / "out/parameters.json").read_text()) == {
        "export": {"license": None}, "ingest": {"source": "lines"}
    }  # fmt: skip
    tokenizer = AutoTokenizer.from_pretrained(root / "out")
    model = AutoModelForSeq2SeqLM.from_pretrained(root / "out")
    batch = tokenizer(["one two", "three"], return_tensors="pt", padding=True)
    assert tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True) == ["eins zwei", "drei"]
    assert "stageformer translate --model . " in card
    for engine in ("stageformer", "ctranslate2"):
        assert Translator.load(root / "out", engine=engine).translate(["one two", "three"]) == ["eins zwei", "drei"]
    assert Translator.load(root / "data/export").translate(["three"]) == ["drei"]


@pytest.mark.parametrize(
    ("formats", "text", "printed"),
    [
        ((), "one two", [["eins zwei"], "eins zwei"]),
        (("stageformer", "ctranslate2_int8"), "three", ["drei"]),
        (("ctranslate2",), '", "'.join("three"), [list("drei")]),
    ],
)
def test_each_block_of_the_card_runs_by_itself(root, monkeypatch, formats, text, printed):
    """Also without the formats that have a tokenizer for Hugging Face, or any."""
    chosen = [option for name in formats for option in ("--format", name)]
    assert CliRunner().invoke(stageformer, ["export", "out", *chosen]).exit_code == 0
    blocks = re.findall(r"```python\n(.*?)```", (root / "out/README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(root / "out")
    found = []
    for block in blocks:
        assert '"..."' in block
        exec(block.replace("...", text), {"print": found.append})
    assert found == printed


def test_one_format(root):
    assert CliRunner().invoke(stageformer, ["export", "out", "--format", "ctranslate2"]).exit_code == 0
    assert {path.name for path in (root / "out").iterdir()} == {"README.md", "ctranslate2", "parameters.json"}
    card = (root / "out/README.md").read_text()
    assert front_matter(card)["library_name"] == "ctranslate2"
    assert "int8" not in card
    assert "stageformer translate" not in card


def test_our_own_format_alone(root):
    assert CliRunner().invoke(stageformer, ["export", "out", "--format", "stageformer"]).exit_code == 0
    assert {path.name for path in (root / "out").iterdir()} == {"README.md", "parameters.json", "stageformer"}
    card = (root / "out/README.md").read_text()
    assert front_matter(card)["library_name"] == "stageformer"
    assert "## Formats" not in card
    assert Translator.load(root / "out").translate(["three"]) == ["drei"]


def test_the_commit_and_changes_are_named(root, monkeypatch):
    import subprocess

    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "a")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
    for arguments in (["init", "-q"], ["add", "params.yaml"], ["commit", "-qm", "one"]):
        subprocess.run(["git", *arguments], cwd=root, check=True)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=root, capture_output=True, text=True, check=True).stdout
    for name, state in (("clean", ""), ("dirty", ", with changes that were not committed")):
        assert CliRunner().invoke(stageformer, ["export", name]).exit_code == 0
        assert f"Commit: `{commit.strip()}`{state}. Every" in (root / name / "README.md").read_text()
        (root / "params.yaml").write_text("changed")


def refusal(*arguments):
    result = CliRunner().invoke(stageformer, ["export", *arguments])
    assert result.exit_code == 2
    return result.stderr


def test_refusals(root, tmp_path):
    (root / "full").mkdir()
    (root / "full/mine.txt").write_text("mine")
    assert refusal("full").startswith("error: full: exists already; nothing is overwritten")
    assert (root / "full/mine.txt").read_text() == "mine"
    assert "holds no 'hugingface' (did you mean 'huggingface'?)" in refusal("out", "--format", "hugingface")
    lock = (root / "dvc.lock").read_text()
    (root / "dvc.lock").write_text(lock.replace(md5(root / MODEL), "f" * 32))
    assert "names another data/train_decoder/model.pt than the one that was exported" in refusal("out")
    (root / "dvc.lock").unlink()
    assert "knows no stage export; run `dvc repro`" in refusal("out")
    shutil.rmtree(root / "data/export")
    assert "there is no export yet; make it with `dvc repro`" in refusal("out")
    assert not (root / "out").exists()


def test_a_package_that_is_missing_is_named(root, monkeypatch):
    monkeypatch.setattr("stageformer.errors.find_spec", lambda package: None)
    result = CliRunner().invoke(main, [])
    assert result.exit_code == 2
    assert result.stderr == (
        "error: the package ctranslate2 is not installed; run `pip install 'stageformer[export]'`\n"
    )
