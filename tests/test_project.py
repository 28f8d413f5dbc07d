"""What makes this a project that others can use: licence, metadata, version, extras."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stageformer.errors import EXTRAS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_licence_is_the_text_of_apache_2():
    assert hashlib.md5((ROOT / "LICENSE").read_bytes()).hexdigest() == "3b83ef96387f14655fc854ddc3c6bd57"
    assert (PROJECT["license"], PROJECT["license-files"]) == ("Apache-2.0", ["LICENSE"])


def test_the_citation_is_of_this_version():
    citation = YAML(typ="safe").load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]


def test_the_changelog_begins_with_what_is_not_released():
    versions = re.findall(r"^## \[(.*?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased"


def name_of(requirement):
    return re.match(r"[A-Za-z0-9_.-]+", requirement).group().lower()


DISTRIBUTIONS = {
    "MeCab": "mecab-python3", "mlflow": "mlflow-skinny", "sklearn": "scikit-learn", "vl_convert": "vl-convert-python",
}  # fmt: skip
"""Where a package is not named as it is imported."""


def test_the_extra_that_installs_a_missing_package_is_the_one_that_is_named():
    extras = {
        extra: {name_of(requirement) for requirement in requirements}
        for extra, requirements in PROJECT["optional-dependencies"].items()
    }
    distributions = {package: DISTRIBUTIONS.get(package, package.replace("_", "-")) for package in EXTRAS}
    for package, extra in EXTRAS.items():
        assert distributions[package] in extras[extra], package
    # `pip` is run as a program.
    ours = {*distributions.values(), "stageformer", "pip"}
    # What `docs` holds is a program, and what `s3` holds is for DVC: nothing of ours imports them.
    assert {name for extra in extras.keys() - {"dev", "docs", "s3"} for name in extras[extra]} == ours
    assert not EXTRAS.keys() & {name_of(requirement) for requirement in PROJECT["dependencies"]}


def pinned():
    return dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)


@pytest.mark.parametrize("package", [
    name_of(requirement)
    for requirements in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for requirement in requirements
    if name_of(requirement) != "stageformer"
])  # fmt: skip
def test_every_dependency_is_pinned(package):
    assert package in {name.lower() for name in pinned()}


def test_the_workflow_runs_what_everyone_runs():
    workflow = YAML(typ="safe").load((ROOT / ".github/workflows/ci.yml").read_text())
    assert ".ci/run" in [step.get("run") for step in workflow["jobs"]["test"]["steps"]]


@pytest.mark.parametrize("path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name)
def test_the_templates_of_issues_are_yaml(path):
    template = YAML(typ="safe").load(path.read_text())
    if path.stem != "config":
        assert template.keys() >= {"name", "description", "body"}
        identifiers = [part["id"] for part in template["body"]]
        assert len(set(identifiers)) == len(identifiers)
