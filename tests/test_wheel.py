"""The wheel in an environment of its own, with the packages that it requires and nothing else of `make setup`."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from stageformer.errors import EXTRAS
from stageformer.params.base import parse
from stageformer.params.reading import read_yaml
from stageformer.params.translate import Translate
from stageformer.translator.model_folder import save_model_folder
from stageformer.translator.translator import Translator

ROOT = Path(__file__).parents[1]
SENTENCES = ["two and five", "one", "", "six six three and four"]
WITH_TORCH = {"jinja2", "markupsafe"}
"""Of the extras, but torch needs them as well."""


def build(folder):
    """Build the wheel of a copy of the project."""
    folder.mkdir()
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    subprocess.run(
        [sys.executable, "-c", "from setuptools import build_meta; build_meta.build_wheel('.')"],
        cwd=folder, env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}, capture_output=True, check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel") / "project")


def test_two_builds_give_the_same_bytes(wheel, tmp_path):
    assert build(tmp_path / "again").read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_all_of_the_library_and_its_licence(wheel):
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        (metadata,) = (file.read(name).decode() for name in names if name.endswith(".dist-info/METADATA"))
    library = ROOT / "src"
    ours = {
        path.relative_to(library).as_posix()
        for path in (library / "stageformer").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours - names == set()
    assert "stageformer/py.typed" in ours
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert "\nLicense-Expression: Apache-2.0\n" in metadata


def requirements(name, seen):
    """Add to ``seen`` the distribution of this name, and all that it needs, by name."""
    if name in seen:
        return
    seen[name] = distribution(name)
    for text in seen[name].requires or []:
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            requirements(requirement.name.lower().replace("_", "-"), seen)


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """A virtual environment with the wheel. What the wheel requires is linked rather than copied; torch is large."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    found = {}
    for text in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        requirements(Requirement(text).name, found)
    for needed in found.values():
        for top in {file.parts[0] for file in needed.files} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(needed.locate_file(top))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", folder, "install", "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def run(environment, toy_root, tmp_path_factory):
    """A function that runs a program of the environment in a folder that holds an exported model and nothing else."""
    here = tmp_path_factory.mktemp("elsewhere")
    params = parse(Translate, read_yaml(toy_root / "params.yaml")["translate"], "translate")
    save_model_folder(
        here / "my-model/stageformer", model=toy_root / "data/train_decoder/model.pt",
        tokenizers=toy_root / "data/tokenize/tokenizer", vocabularies=toy_root / "data/vocab", params=params,
    )  # fmt: skip
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    variables["STAGEFORMER_DEBUG"] = "0"  # what users see

    def program(name, *arguments, cwd=here):
        command = [environment / "bin" / name, *arguments]
        return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=False)

    return program


SCRIPT = """
import importlib.util, json, sys
import stageformer
early = sorted({"torch", "numpy", "pyarrow", "click"} & set(sys.modules))
every = [getattr(stageformer, name) for name in stageformer.__all__]
translator = stageformer.Translator.load("my-model")
found = translator.nbest(json.loads(sys.argv[1]), number=2)
missing = [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name) is None]
print(json.dumps({"early": early, "found": found, "missing": missing, "version": stageformer.__version__,
                  "file": stageformer.__file__}))
"""


def test_an_exported_model_translates_as_in_the_repository(run, environment, toy_root):
    done = run("python", "-c", SCRIPT, json.dumps(SENTENCES), json.dumps(sorted(EXTRAS)))
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["file"].startswith(str(environment))
    assert printed["early"] == [], "`import stageformer` imports nothing else"
    assert set(printed["missing"]) == EXTRAS.keys() - WITH_TORCH
    assert printed["version"] == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    ours = Translator.load(toy_root).nbest(SENTENCES, number=2)
    assert printed["found"] == json.loads(json.dumps(ours)), "to the bit"


def test_the_command_translates_and_draws_the_alignment(run, toy_root):
    done = run("stageformer", "translate", "--model", "my-model", "two and five", "one")
    assert (done.returncode, done.stdout, done.stderr) == (0, "zwei und fünf\neins\n", "")
    done = run("stageformer", "translate", "--model", "my-model", "two", "--attention")
    assert done.returncode == 0, done.stderr
    assert "75% or more" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ["explain", "--model", "my-model", "two"],
            "error: the package matplotlib is not installed; run `pip install 'stageformer[figures]'`\n",
        ),
        (
            ["score", "--hypotheses", "a", "--references", "b"],
            "error: the package sacrebleu is not installed; run `pip install 'stageformer[scoring]'`\n",
        ),
        (
            ["translate", "--model", "my-model", "--engine", "ctranslate2", "two"],
            "error: the package ctranslate2 is not installed; run `pip install 'stageformer[export]'`\n",
        ),
    ],
)
def test_what_needs_an_extra_says_so_in_one_line(run, arguments, expected):
    done = run("stageformer", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)


def test_what_needs_a_repository_says_so_in_one_line(run):
    done = run("stageformer", "translate", "two")
    assert done.returncode == 2
    assert "neither this folder nor one above it is a repository of Stageformer" in done.stderr
    assert done.stderr.count("\n") == 1


CUT = {"kind": "cut", "case": "keep", "normalisation": "none", "cutter": "nltk", "language": "en", "path": None,
       "subwords": "none", "vocabulary_size": None}  # fmt: skip
EACH_EXTRA = [
    *(({"tokenize": {"source": CUT | {"cutter": cutter}}}, extra) for cutter, extra in {
        "gensim": "gensim", "gensim_simple": "gensim", "keras": "keras", "nltk": "nltk", "nltk_punkt": "nltk",
        "nltk_toktok": "nltk", "nltk_treebank": "nltk", "nltk_tweet": "nltk", "nltk_wordpunct": "nltk",
        "moses": "scoring", "pyonmttok": "pyonmttok", "spacy": "spacy", "stanza": "stanza", "corenlp": "stanza",
        "textblob": "textblob",
    }.items()),
    ({"tokenize": {"source": {"kind": "sentencepiece", "case": "keep", "normalisation": "none", "vocabulary_size": 99,
                              "model_type": "bpe", "path": None}}}, "sentencepiece"),
    ({"ingest": {"source": "datasets", "datasets": {"path": "folder"}}}, "datasets"),
    ({"ingest": {"language_identifier": "py3langid"}}, "language"),
    ({"evaluate": {"bleu_tokenize": "ja-mecab"}}, "japanese"),
    ({"evaluate": {"bleu_tokenize": "ko-mecab"}}, "korean"),
    ({"export": {"formats": ["ctranslate2"]}}, "export"),
    ({"export": {"formats": ["huggingface"]}}, "export"),
    *(({"logging": {"loggers": [name]}}, name) for name in ("mlflow", "tensorboard", "wandb")),
]  # fmt: skip
CHECKS = """
import json, sys
from click.testing import CliRunner
from stageformer.cli import main
runs = [CliRunner().invoke(main, ["check", "--params", path]) for path in json.loads(sys.argv[1])]
print(json.dumps([(run.exit_code, run.output) for run in runs]))
"""


def test_check_names_the_extra_of_every_choice_that_needs_one(run, tmp_path):
    paths = []
    for number, (changes, _) in enumerate(EACH_EXTRA):
        values = read_yaml(ROOT / "recipes/default.yaml")
        values["export"]["formats"] = []
        for group, inner in changes.items():
            for name, value in inner.items():
                values[group][name] = values[group][name] | value if name == "datasets" else value
        paths.append(tmp_path / f"{number}.yaml")
        paths[-1].write_text(json.dumps(values))
    done = run("python", "-c", CHECKS, json.dumps([str(path) for path in paths]))
    assert done.returncode == 0, done.stderr
    for (changes, extra), (code, printed) in zip(EACH_EXTRA, json.loads(done.stdout), strict=True):
        assert code == 2, (changes, printed)
        assert printed.endswith(f"; run `pip install 'stageformer[{extra}]'`\n"), (changes, printed)
        assert printed.count("\n") == 1, printed


@pytest.mark.parametrize("command", [["compare", "HEAD"], ["report"], ["status"], ["table", "HEAD"]])
def test_what_needs_the_pipeline_says_so_in_one_line(run, command, tmp_path):
    """In a repository, but without the extra that runs it."""
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("params.yaml", "dvc.yaml", "stages", "recipes"):
        (tmp_path / name).symlink_to(ROOT / name)
    done = run("stageformer", *command, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    advice = r"error: the package \w+ is not installed; run `pip install 'stageformer\[(pipeline|scoring)\]'`\n"
    assert re.fullmatch(advice, done.stderr), done.stderr
