"""The manifests: exactly the files of ours that a stage's script can import, with the chosen kinds alone."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stageformer.errors import StageformerError
from stageformer.params.reading import read_yaml
from stageformer.params.recipes import combinations
from stageformer.provenance import code
from stageformer.provenance.code import Code, manifests, read_manifest, stages

ROOT = Path(__file__).parents[2]
PARAMS: dict[str, Any] = read_yaml(ROOT / "recipes/default.yaml")
MANIFESTS = manifests(ROOT, PARAMS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "stages/__init__.py": '"""Only a docstring."""\n',
        "stages/one.py": "import json\nfrom stageformer.top import name\nfrom stages.common import x\n",
        "stages/common.py": "",
        "src/stageformer/__init__.py": "",
        "src/stageformer/top.py": "from stageformer.package import member\nfrom . import sibling\n",
        "src/stageformer/sibling.py": "def f():\n    import stageformer.late\n",
        "src/stageformer/late.py": "if TYPE_CHECKING:\n    import stageformer.unused\n",
        "src/stageformer/unused.py": "",
        "src/stageformer/package/__init__.py": "VALUE = 1\n",
        "src/stageformer/package/member.py": "import importlib as i\ni.import_module('stageformer.named')\n",
        "src/stageformer/named.py": "",
        "src/stageformer/zoo/__init__.py": "",
        "src/stageformer/zoo/base.py": "",
        "src/stageformer/zoo/cat.py": "import stageformer.zoo.base\n",
        "src/stageformer/zoo/dog.py": "import stageformer.zoo.base\nimport stageformer.unused\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_closure(root: Path) -> None:
    assert Code(root, {}).closure("stages.one") == [
        "stages/one.py",
        "src/stageformer/late.py",
        "src/stageformer/named.py",
        "src/stageformer/package/__init__.py",
        "src/stageformer/package/member.py",
        "src/stageformer/sibling.py",
        "src/stageformer/top.py",
        "stages/common.py",
    ]


FACADE = '''"""Offers a name."""

import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stageformer.unused import x

_MODULES = {"x": "unused"}
__all__ = ["x"]


def __getattr__(name):
    return pkgutil.resolve_name(f"{__name__}.{_MODULES[name]}:{name}")
'''


def test_an_init_that_only_offers_names_is_left_out_and_our_own_code_must_not_use_them(root: Path) -> None:
    init = root / "src/stageformer/__init__.py"
    init.write_text(FACADE)
    assert "src/stageformer/__init__.py" not in Code(root, {}).closure("stages.one")
    (root / "stages/common.py").write_text("\nfrom stageformer import x\n")
    with pytest.raises(StageformerError) as caught:
        Code(root, {}).closure("stages.one")
    assert str(caught.value) == (
        "stages/common.py, line 2: stageformer offers x to users of the library; "
        "import it from the module that defines it"
    )
    (root / "stages/common.py").write_text("from stageformer import sibling\n")
    init.write_text(FACADE + "print()\n")
    assert "src/stageformer/__init__.py" in Code(root, {}).closure("stages.one")


def test_an_init_that_runs_code_counts(root: Path) -> None:
    (root / "stages/__init__.py").write_text("import stageformer.unused\n")
    assert {"stages/__init__.py", "src/stageformer/unused.py"} <= set(Code(root, {}).closure("stages.one"))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("importlib.import_module(name)", "a module is imported by a name that is known only at run time"),
        ("__import__(name)", "a module is imported by a name that is known only at run time"),
        ("chosen(name, kind)", "chosen() needs the package written as a constant"),
        ("chosen('stageformer.zoo', kind)", "which parameters choose from stageformer.zoo?"),
        ("from stageformer.params.choices import chosen as pick", "chosen must keep its name"),
    ],
)
def test_an_import_that_cannot_be_followed_is_refused(root: Path, line: str, message: str) -> None:
    (root / "stages/common.py").write_text(f"import importlib\n\n{line}\n")
    with pytest.raises(StageformerError) as caught:
        Code(root, {}).closure("stages.one")
    assert str(caught.value).startswith(f"stages/common.py, line 3: {message}")


def test_code_that_is_not_python_is_one_line(root: Path) -> None:
    (root / "stages/common.py").write_text("x = 1\ndef\n")
    with pytest.raises(StageformerError) as caught:
        Code(root, {}).closure("stages.one")
    assert str(caught.value) == "stages/common.py, line 2: not valid Python (invalid syntax)"


def test_there_is_no_such_script(root: Path) -> None:
    with pytest.raises(StageformerError, match=r"^stages\.two: no such module$"):
        Code(root, {}).closure("stages.two")


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ({"pet": {"kind": "cat"}}, {"cat"}),
        ({"pet": {"kind": ["cat", "dog"]}}, {"cat", "dog"}),
        ({"pet": {"kind": None}}, set()),
        # Checked by the parameter classes: what has no module of its own, no module can be imported for.
        ({"pet": {"kind": "none"}}, set()),
    ],
)
def test_only_the_chosen_kinds_count(
    root: Path, monkeypatch: pytest.MonkeyPatch, values: dict[str, Any], kinds: set[str]
) -> None:
    monkeypatch.setattr(code, "CHOICES", {"stageformer.zoo": ("pet.kind",)})
    (root / "stages/common.py").write_text("chosen('stageformer.zoo', kind)\n")
    found = set(Code(root, values).closure("stages.one"))
    assert {Path(path).stem for path in found if path.startswith("src/stageformer/zoo/")} - {"base"} == kinds
    assert ("src/stageformer/unused.py" in found) == ("dog" in kinds)
    assert ("src/stageformer/zoo/base.py" in found) == bool(kinds)


def test_a_package_whose_kinds_are_listed_counts(root: Path) -> None:
    (root / "stages/common.py").write_text("kinds('stageformer.package')\n")
    (root / "src/stageformer/top.py").write_text("")
    assert "src/stageformer/package/__init__.py" in Code(root, {}).closure("stages.one")


def test_both_sides_count(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code, "CHOICES", {"stageformer.zoo": ("pet.*.kind",)})
    (root / "stages/common.py").write_text("chosen('stageformer.zoo', kind)\n")
    found = Code(root, {"pet": {"source": {"kind": "cat"}, "target": {"kind": "dog"}}}).closure("stages.one")
    assert {"src/stageformer/zoo/cat.py", "src/stageformer/zoo/dog.py"} <= set(found)
    with pytest.raises(StageformerError, match=r"^params: there is no pet\.\*\.kind"):
        Code(root, {}).closure("stages.one")


def test_the_families_of_both_sides_are_in_the_manifest_and_no_others() -> None:
    sides = {"source": {"kind": "char"}, "target": {"kind": "word"}}
    for target, families in ((sides["target"], {"char", "word"}), (None, {"char"})):
        values = PARAMS | {"tokenize": sides | {"target": target}}
        paths = read_manifest(Code(ROOT, values).manifest("stages.tokenize"))
        found = {Path(path).stem for path in paths if path.startswith("src/stageformer/text/tokenizers/")}
        assert found == families | {"base"}


def test_the_parameters_that_choose_exist() -> None:
    # A parameter that has moved would leave its kinds out of the manifests.
    side = PARAMS["tokenize"]["source"] | {"cutter": "nltk"}
    maker = PARAMS["train_encoder"] | {"service": {"kind": "http"}}
    values = PARAMS | {"tokenize": {"source": side, "target": side}, "train_encoder": maker}
    for package, parameters in code.CHOICES.items():
        for parameter in parameters:
            assert list(code._values(values, parameter.split("."), parameter)), (package, parameter)


def test_a_manifest_is_what_md5sum_prints() -> None:
    for stage, text in MANIFESTS.items():
        paths = list(read_manifest(text))
        assert paths == sorted(paths)
        assert f"stages/{stage}.py" in paths
        for path, md5 in read_manifest(text).items():
            assert hashlib.md5((ROOT / path).read_bytes()).hexdigest() == md5
        assert text == "".join(f"{md5}  {path}\n" for path, md5 in read_manifest(text).items())


def test_every_stage_but_check_has_a_manifest() -> None:
    assert list(MANIFESTS) == [stage for stage in stages(ROOT) if stage != "check"]


@pytest.fixture(scope="module")
def loaded() -> dict[str, set[str]]:
    """The files of ours that are loaded once the script of a stage is imported, by stage."""
    script = f"""
import json, os, sys
import torch  # once for all
for stage in {list(MANIFESTS)}:
    if os.fork() == 0:
        __import__(f"stages.{{stage}}")
        modules = [module for name, module in sys.modules.items() if name.split(".")[0] in ("stages", "stageformer")]
        print(json.dumps([stage, [module.__file__ for module in modules]]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, stage
"""
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    found = dict(map(json.loads, run.stdout.splitlines()))
    return {stage: {Path(file).relative_to(ROOT).as_posix() for file in files} for stage, files in found.items()}


@pytest.mark.parametrize("stage", MANIFESTS)
def test_every_module_that_a_script_imports_is_in_its_manifest(loaded: dict[str, set[str]], stage: str) -> None:
    manifest = read_manifest(MANIFESTS[stage]).keys()
    assert f"stages/{stage}.py" in loaded[stage]
    missing = loaded[stage] - manifest
    assert [path for path in missing if not path.endswith("/__init__.py")] == []
    # These hold nothing but a docstring, or offer names that the library itself does not import.
    for path in missing:
        text = (ROOT / path).read_text(encoding="utf-8")
        assert "def __getattr__" in text or not re.sub('""".*"""', "", text, flags=re.DOTALL).strip(), path


@pytest.mark.parametrize("stage", ["train_encoder", "train_decoder"])
def test_the_code_of_a_training_is_loaded_before_it_begins(loaded: dict[str, set[str]], stage: str) -> None:
    # The fingerprint of its checkpoints is of the code as loaded then. The script loads the kinds, of which those of
    # vectors are for a service that makes the memory; what words an error changes no result.
    waiting = read_manifest(MANIFESTS[stage]).keys() - loaded[stage] - {"src/stageformer/params/messages.py"}
    kinds = ("src/stageformer/training/tasks/", "src/stageformer/vectors/")
    assert {path for path in waiting if not path.startswith(kinds)} == set()


def test_every_recipe_has_manifests() -> None:
    from stageformer.params.recipes import load_recipe

    for recipe in combinations(ROOT / "recipes"):
        assert manifests(ROOT, load_recipe(recipe, ROOT / "recipes")).keys() == MANIFESTS.keys()
