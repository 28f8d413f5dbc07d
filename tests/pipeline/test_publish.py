"""``make publish`` and ``make reproduce``: two clones and an S3 server; the colleague computes nothing."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.repositories import Repository

KEYS = {"AWS_ACCESS_KEY_ID": "a-key-of-the-test", "AWS_SECRET_ACCESS_KEY": "a-secret-of-the-test"}


def tool(root: Path, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(root / "src")} | variables
    command = [sys.executable, "-m", f"tools.{name}", *arguments]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server on loopback, with the bucket ``results``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    log = (tmp_path_factory.mktemp("s3") / "log.txt").open("w")
    with subprocess.Popen(command, stdout=log, stderr=log) as server:
        url = f"http://127.0.0.1:{port}"
        for _ in range(200):
            try:
                urllib.request.urlopen(urllib.request.Request(f"{url}/results", method="PUT"), timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("the server did not start")
        yield url
        server.terminate()


def add_remote(repository: Repository, s3: str) -> None:
    repository.dvc("remote", "add", "--default", "storage", "s3://results/here")
    repository.dvc("remote", "modify", "storage", "endpointurl", s3)
    repository.commit()


def test_a_colleague_has_the_result_without_computing(repository: Repository, s3: str, tmp_path: Path) -> None:
    add_remote(repository, s3)
    shared = ("a-corpus.zip", "datasets/0123/only/train.arrow")
    private = (".hidden", "half.part", "datasets/0123/only.lock", "datasets/.tmp/train.arrow", "answers/1")
    for name in (*shared, *private):
        (repository.root / ".cache" / name).parent.mkdir(parents=True, exist_ok=True)
        (repository.root / ".cache" / name).write_bytes(name.encode())
    published = tool(repository.root, "publish", "v1.0", "--no-verify", **KEYS)
    assert published.returncode == 0, published.stdout + published.stderr
    assert "published v1.0" in published.stdout
    assert "bleu " in repository.git("tag", "--list", "--format=%(contents)", "v1.0")
    assert repository.git("status", "--porcelain") == ""
    # Keys are nowhere in what others get.
    for secret in KEYS.values():
        assert secret not in repository.git("log", "--patch", "--all")

    colleague = Repository(tmp_path / "colleague", repository.run_dvc)
    repository.git("clone", "--quiet", "--branch", "v1.0", str(repository.root), str(colleague.root))
    reproduced = tool(colleague.root, "reproduce", **KEYS)
    assert reproduced.returncode == 0, reproduced.stdout + reproduced.stderr
    assert f"all {len(colleague.stages)} stages are as they were published" in reproduced.stdout
    assert all((colleague.root / ".cache" / name).read_bytes() == name.encode() for name in shared)
    assert not any((colleague.root / ".cache" / name).exists() for name in private)
    ours = (repository.root / "reports/evaluate/metrics.json").read_text(encoding="utf-8")
    assert (colleague.root / "reports/evaluate/metrics.json").read_text(encoding="utf-8") == ours
    assert colleague.repro(**KEYS) == ([], [])
    model = "data/train_decoder/model.pt"
    assert (colleague.root / model).read_bytes() == (repository.root / model).read_bytes()

    # What changed since is said, by its name.
    colleague.set(translate__beam_size=3)
    outdated = tool(colleague.root, "reproduce", **KEYS)
    assert outdated.returncode == 1, outdated.stdout + outdated.stderr
    assert "translate.beam_size" in outdated.stdout


@pytest.mark.parametrize(
    ("url", "setting", "message"),
    [
        ("s3://results", ("secret_access_key", "a-secret"), "holds a secret (remote.storage.secret_access_key)"),
        ("ssh://me:word@example.org/results", ("port", "22"), "holds a secret (remote.storage.url)"),
    ],
)
def test_secrets_are_not_published(repository: Repository, url: str, setting: tuple[str, str], message: str) -> None:
    repository.dvc("remote", "add", "--default", "storage", url)
    repository.dvc("remote", "modify", "storage", *setting)
    repository.commit()
    refused = tool(repository.root, "publish", "v1.0", "--no-verify")
    assert refused.returncode == 2, refused.stderr
    assert message in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert repository.git("tag") == ""


def test_no_remote(repository: Repository) -> None:
    refused = tool(repository.root, "publish", "v1.0", "--no-verify")
    assert refused.returncode == 2, refused.stderr
    assert "DVC has no default remote to push to" in refused.stderr


def test_a_remote_of_this_machine_alone(repository: Repository) -> None:
    repository.dvc("remote", "add", "--local", "--default", "storage", "s3://results")
    refused = tool(repository.root, "publish", "v1.0", "--no-verify")
    assert refused.returncode == 2
    assert "the committed .dvc/config has no remote storage" in refused.stderr


def test_a_result_that_is_not_up_to_date(repository: Repository) -> None:
    repository.dvc("remote", "add", "--default", "storage", "remote-folder")
    repository.set(translate__beam_size=3)
    repository.commit()
    refused = tool(repository.root, "publish", "v1.0", "--no-verify")
    assert refused.returncode == 2
    assert "not up to date: check, translate" in refused.stderr or "not up to date: translate" in refused.stderr


def test_nothing_to_fetch_from(repository: Repository) -> None:
    refused = tool(repository.root, "reproduce")
    assert refused.returncode == 2
    assert "names no DVC remote" in refused.stderr
