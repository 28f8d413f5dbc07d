"""The source ``datasets``: folders as the library of Hugging Face has them, streamed."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, ClassVar

import datasets
import pytest

from stageformer.corpus.ingest import ingest, open_corpus
from stageformer.corpus.sources.base import Record, Rejected
from stageformer.errors import StageformerError

SOURCES = str(Path(__file__).resolve().parents[2] / "src")
PAIRS = [("Hello", "Hallo"), ("a\u2028b", "日本"), ("one two", "eins zwei")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pairs in the layout of a translation, with classes, as Parquet, JSON and as the library saves them."""
    root = tmp_path_factory.mktemp("data")
    features = datasets.Features(
        {
            "translation": datasets.Translation(["en", "de"]),
            "topic": datasets.ClassLabel(names=["news", "talk"]),
            "document": datasets.Value("int32"),
        }
    )
    rows = {
        "translation": [{"en": source, "de": target} for source, target in PAIRS],
        "topic": [0, 1, 1],
        "document": [7, 8, 7],
    }
    made = datasets.Dataset.from_dict(rows, features)
    made.to_parquet(root / "parquet" / "data" / "train-00000.parquet")
    made.select([0]).to_parquet(root / "parquet" / "data" / "validation-00000.parquet")
    made.to_json(root / "json" / "train.jsonl", force_ascii=False)
    datasets.DatasetDict({"train": made}).save_to_disk(root / "saved")
    return root


def params_of(make_params: Any, path: Path, **changes: Any) -> Any:
    files = {"source_column": "translation.en", "target_column": "translation.de"}
    files |= changes.pop("files", {})
    options = {"path": str(path), **changes.pop("datasets", {})}
    return make_params(source="datasets", datasets=options, files=files, **changes)


@pytest.mark.parametrize("layout", ["parquet", "json", "saved"])
def test_pairs_of_every_layout(folder: Path, tmp_path: Path, make_params: Any, layout: str) -> None:
    params = params_of(make_params, folder / layout, files={"group_column": "document"})
    (source,) = open_corpus(params, tmp_path).values()
    records = list(source)
    assert list(source) == records, "it can be read again"
    assert [(record.source, record.target, record.group) for record in records if isinstance(record, Record)] == [
        (*pair, group) for pair, group in zip(PAIRS, ["7", "8", "7"], strict=True)
    ]
    assert [record.where for record in records] == [f"{layout} train: row {row}" for row in (1, 2, 3)]


def test_ready_made_splits_and_names_of_classes(folder: Path, tmp_path: Path, make_params: Any) -> None:
    params = params_of(
        make_params, folder / "parquet", labels="one", files={"label_column": "topic"}, datasets={"valid": "validation"}
    )
    corpus = open_corpus(params, tmp_path)
    assert list(corpus) == ["train", "valid"]
    assert [record.labels for record in corpus["train"]] == [("news",), ("talk",), ("talk",)]
    assert [record.labels for record in corpus["valid"]] == [("news",)]


def test_words_and_tags_as_lists(tmp_path: Path, make_params: Any) -> None:
    """As data sets for tagging have them, with the numbers of classes; -1 is no class."""
    tags = datasets.List(datasets.ClassLabel(names=["DT", "NN"]))
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "pos": tags})
    rows = {"tokens": [["the", "dog"], ["cats"], ["a", "b"]], "pos": [[0, 1], [1], [0, -1]]}
    datasets.Dataset.from_dict(rows, features).to_parquet(tmp_path / "d" / "train.parquet")
    files = {"source_column": "tokens", "target_column": None, "label_column": "pos"}
    params = params_of(make_params, tmp_path / "d", labels="tags", files=files)
    found = list(open_corpus(params, tmp_path)["train"])
    assert [(record.source, record.labels) for record in found[:2]] == [("the dog", ("DT", "NN")), ("cats", ("NN",))]
    assert isinstance(found[2], Rejected)
    assert "row 3: the column 'pos' is not a label: None" in str(found[2].message)


def test_rows_are_numbered_through_the_batches(tmp_path: Path, make_params: Any) -> None:
    (tmp_path / "d").mkdir()
    lines = [json.dumps({"en": f"s{number}", "de": f"t{number}"}) for number in range(2_500)]
    (tmp_path / "d" / "train.jsonl").write_text("\n".join(lines))
    params = params_of(make_params, tmp_path / "d", files={"source_column": "en", "target_column": "de"})
    found = list(open_corpus(params, tmp_path)["train"])
    assert found[-1] == Record("s2499", "t2499", "", "d train: row 2500")
    assert len({record.where for record in found}) == 2_500


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"datasets": {"train": "trian"}}, r"Bad split: trian\. Available splits"),
        ({"datasets": {"config": "other"}}, "BuilderConfig 'other' not found"),
        ({"datasets": {"path": "nowhere"}}, r"path is 'nowhere', which is no folder here; name one, or for a data set"),
        ({"datasets": {"revision": "main"}}, "revision is 'main'; needed a commit"),
        ({"files": {"source_column": "en"}}, r"no column 'en' \(did you mean 'translation.en'\?\)"),
        ({"files": {"source_column": "topic"}}, "the column 'topic' is of type int64, needed string"),
        ({"files": {"train": ["x"]}}, "files.train is set"),
        ({"datasets": {"path": None}}, "datasets.path is null"),
    ],
)
def test_mistakes_are_one_line(
    folder: Path, tmp_path: Path, make_params: Any, changes: dict[str, Any], message: str
) -> None:
    def read() -> None:
        list(open_corpus(params_of(make_params, folder / "json", **changes), tmp_path)["train"])

    with pytest.raises(StageformerError, match=message) as error:
        read()
    assert "\n" not in str(error.value)


SHA = "a" * 40
HUB = {
    "README.md": "---\nconfigs:\n- config_name: de-en\n  data_files:\n  - {split: train, path: de-en/train*}\n"
    "- config_name: fr-en\n  data_files:\n  - {split: train, path: fr-en/train*}\n---\n",
    "de-en/train.jsonl": '{"translation": {"en": "one", "de": "eins"}}\n{"translation": {"en": "two", "de": "zwei"}}\n',
    "fr-en/train.jsonl": '{"translation": {"en": "one", "fr": "un"}}\n',
}


class Hub(http.server.BaseHTTPRequestHandler):
    """What the hub answers about the data set ``someone/pairs``, of one commit."""

    asked: ClassVar[list[str]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        name = path.partition(f"/resolve/{SHA}/")[2]
        if name in HUB:
            digest = hashlib.sha1(HUB[name].encode(), usedforsecurity=False).hexdigest()
            self._answer(200, HUB[name], {"ETag": f'"{digest}"', "X-Repo-Commit": SHA})
        elif name or not path.startswith("/api/datasets/someone/pairs"):
            self._answer(404, "", {"X-Error-Code": "EntryNotFound"})
        elif "/tree/" in path:
            folder = path.partition(f"/tree/{SHA}")[2].strip("/")
            found = [file for file in HUB if file.rpartition("/")[0] == folder]
            files = [{"type": "file", "oid": "0" * 40, "size": len(HUB[file]), "path": file} for file in found]
            inner = {file.partition("/")[0] for file in HUB if "/" in file and not folder}
            folders = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": name} for name in sorted(inner)]
            self._answer(200, json.dumps([*files, *folders]), {})
        else:
            files = [{"rfilename": name} for name in HUB]
            self._answer(200, json.dumps({"_id": "1", "id": "someone/pairs", "sha": SHA, "siblings": files}), {})

    def _answer(self, code: int, text: str, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, "Content-Length": str(len(text.encode()))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())


READ = """
import sys
from pathlib import Path
from stageformer.corpus.sources._rows import Columns
from stageformer.corpus.sources.datasets import DatasetsSource
from stageformer.params.ingest import Datasets
config, revision, cache = sys.argv[1:]
params = Datasets(path="someone/pairs", config=config or None, revision=revision, train="train", valid=None, test=None)
source = DatasetsSource(params, "train", Columns("translation.en", "translation.de"), Path(cache))
print([(record.source, record.target) for record in source])
"""


def test_a_data_set_of_the_hub_is_fetched_once(tmp_path: Path) -> None:
    """From a server of our own that answers as the hub does; afterwards without it."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    variables = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "HF_HOME": str(tmp_path / "home")}
    environment = {**os.environ, **variables, "PYTHONPATH": SOURCES, "HF_HUB_DISABLE_TELEMETRY": "1"}

    def read(config: str = "de-en", revision: str = SHA) -> subprocess.CompletedProcess[str]:
        run = [sys.executable, "-c", READ, config, revision, str(tmp_path / "cache")]
        return subprocess.run(run, capture_output=True, text=True, env=environment)

    first = read()
    assert first.stdout == "[('one', 'eins'), ('two', 'zwei')]\n", first.stderr
    assert any(path.endswith("de-en/train.jsonl") for path in Hub.asked)
    assert not any(path.endswith("fr-en/train.jsonl") for path in Hub.asked)
    assert all(SHA in path for path in Hub.asked if "/resolve/" in path), "only the commit that is pinned"
    other = read(config="")
    assert "Config name is missing" in other.stderr, "not the configuration that is there already"
    server.shutdown()
    server.server_close()
    assert read().stdout == first.stdout


MEMORY = """
import resource, sys
from pathlib import Path
from stageformer.corpus.sources._rows import Columns
from stageformer.corpus.sources.datasets import DatasetsSource
from stageformer.params.ingest import Datasets
params = Datasets(path=sys.argv[1], config=None, revision=None, train="train", valid=None, test=None)
source = DatasetsSource(params, "train", Columns("en", "de"), Path(sys.argv[2]))
print(sum(1 for _ in source), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    """300,000 rows of 1 kB are 300 MB, and need little more than 30,000."""
    peaks = []
    environment = {**os.environ, "PYTHONPATH": SOURCES}
    for rows in (30_000, 300_000):
        folder = tmp_path / str(rows)
        folder.mkdir()
        with (folder / "train.jsonl").open("w") as file:
            for number in range(rows):
                file.write(json.dumps({"en": f"{number} " + "x" * 500, "de": "y" * 500}) + "\n")
        run = [sys.executable, "-c", MEMORY, str(folder), str(tmp_path)]
        printed = subprocess.run(run, check=True, capture_output=True, text=True, env=environment).stdout
        count, peak = printed.split()
        assert int(count) == rows
        peaks.append(int(peak))
    assert peaks[1] < peaks[0] + 60, peaks


def test_ingest_as_a_whole(folder: Path, tmp_path: Path, make_params: Any) -> None:
    params = params_of(make_params, folder / "parquet", datasets={"valid": "validation", "test": "validation"})
    statistics = ingest(open_corpus(params, tmp_path), params, tmp_path)
    assert statistics.total().kept == {"train": 2, "valid": 1, "test": 1}
