import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from stageformer.compute import instruction_set

pytest_plugins = ["tests.pretrained_files", "tests.repositories"]

# Before torch is imported: tests are many and small, and threads that wait for each other only cost time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# As the stages do, and before the first operation: what tests compute here is compared with what stages compute.
instruction_set.use_instruction_set("avx2", quiet=True)

# Messages are compared with what is expected, on a CPU of any maker: what tests run here warns of none.
instruction_set.MEASURED_VENDORS += (instruction_set._vendor(),)

WORDS = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf", "six": "sechs", "and": "und"}


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A function ``made_once(name, make)`` that returns a folder which ``make(folder)`` has filled.

    The workers of pytest-xdist share it: the first that asks makes it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def folder_of(name, make):
        folder, done = base / "shared" / name, base / f"{name}.done"
        with filelock.FileLock(base / f"{name}.lock"):
            if not done.exists():
                # What a failed try left would be in the way of the next.
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(folder)
                folder.mkdir(parents=True)
                make(folder)
                done.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session", autouse=True)
def scratch_of_the_session(tmp_path_factory):
    """Checkpoints and logs of what tests run are kept out of the user's own scratch folder; faults show a traceback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STAGEFORMER_SCRATCH", str(tmp_path_factory.mktemp("scratch")))
        patch.setenv("STAGEFORMER_DEBUG", "1")
        yield


@pytest.fixture(scope="session")
def dvc(tmp_path_factory, scratch_of_the_session):
    """A function that runs ``dvc ARGUMENTS`` in the folder ``root``, as in a shell with the environment activated."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(tmp_path_factory.mktemp("dvc_site_cache")),
    }

    def run(root, *arguments, **variables):
        return subprocess.run(
            [sys.executable, "-m", "dvc", *arguments], cwd=root, env=environment | variables,
            capture_output=True, text=True, check=False,
        )

    return run


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium, as ``STAGEFORMER_CHROMIUM`` names it or as it is found on the machine."""
    found = os.environ.get("STAGEFORMER_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("there is no Chromium on this machine; install it, or name it in STAGEFORMER_CHROMIUM")
    return found


COMPUTE = {
    "device": "cpu", "threads": 1, "processes": 1, "sharded": False, "micro_batch_tokens": 200, "precision": "fp32",
    "compile": False, "kernels": "fast", "instruction_set": "avx2", "engine": "local",
}  # fmt: skip


@pytest.fixture(scope="session")
def make_compute():
    """A function that makes parameters of the machine: one thread, fp32, but for what is given."""
    from stageformer.params.base import parse
    from stageformer.params.compute import Compute

    return lambda **changes: parse(Compute, COMPUTE | changes, "compute")


def toy_pairs(number, seed):
    generator = random.Random(seed)
    sources = [" ".join(generator.choices(list(WORDS), k=generator.randint(1, 6))) for _ in range(number)]
    return [(source, " ".join(WORDS[word] for word in source.split())) for source in sources]


@pytest.fixture(scope="session")
def toy_root(made_once):
    """What the pipeline up to train_decoder leaves: a model that has learnt to translate numbers word by word.

    Shared by the tests of a session: copy it before changing it.
    """
    return made_once("toy", make_toy_root)


def make_toy_root(root):
    """Train the toy model and write its artifacts below ``root``."""
    import numpy as np
    import torch
    from torch.nn.functional import cross_entropy

    from stageformer.artifacts.tables import write_table
    from stageformer.batching.sentences import Sentences
    from stageformer.building.model_files import save_model, weights_fingerprint
    from stageformer.memory.writer import MemoryWriter
    from stageformer.model.config import EmbeddingConfig, StackConfig, TransformerConfig
    from stageformer.model.transformer import Transformer
    from stageformer.text.pair import save_tokenizers, train_tokenizers
    from stageformer.text.vocabulary import SHARED_NAME, Vocabulary, load_vocabularies
    from tests.families import family

    params = (Path(__file__).parent.parent / "recipes/default.yaml").read_text()
    # What the default recipe is tuned to must not change what the toy model says.
    params = re.sub("length_penalty: .*", "length_penalty: 0.6", params)
    (root / "params.yaml").write_text(params.replace("threads: 2", "threads: 1"))
    shutil.copy(Path(__file__).parent.parent / "dvc.yaml", root)
    tokenizers = train_tokenizers(list(WORDS), list(WORDS.values()), family("char"), None)
    tokenizers = save_tokenizers(tokenizers, root / "data/tokenize/tokenizer")
    characters = sorted({character for pair in WORDS.items() for character in "".join(pair)} | {" "})
    counts = {
        token: 1 for text in characters for token in tokenizers.source.encode_batch([f"a{text}a"])[0]
    }
    vocabulary = Vocabulary.from_counts(counts, min_frequency=1, max_size=None)
    vocabulary.save(root / "data/vocab" / SHARED_NAME, tokenizers.parts)
    parts = load_vocabularies(root / "data/vocab").parts

    def rows(pairs):
        sides = [tokenizers.source.encode_batch([pair[side] for pair in pairs]) for side in (0, 1)]
        sources = [[*vocabulary.to_ids(tokens), vocabulary.eos_id] for tokens in sides[0]]
        return sources, [[vocabulary.bos_id, *vocabulary.to_ids(tokens), vocabulary.eos_id] for tokens in sides[1]]

    torch.manual_seed(1)
    side = EmbeddingConfig(len(vocabulary), 48, max_length=48)
    stack = StackConfig(48, 2, 4, 96, norm="pre")
    model = Transformer(TransformerConfig(side, side, stack, stack, share_embeddings=True))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for update in range(300):
        sources, targets = rows(toy_pairs(24, update))
        ids, present = Sentences.of(sources).padded(0)
        target_ids, wanted = Sentences.of(targets).padded(0)
        logits = model.decoder.logits(model(ids, target_ids[:, :-1], present))
        loss = cross_entropy(logits[wanted[:, 1:]], target_ids[:, 1:][wanted[:, 1:]])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    save_model(root / "data/train_decoder/model.pt", "model", model.eval(), {"encoder": "frozen"}, parts)

    pairs = toy_pairs(40, seed=10_000)
    sources, targets = rows(pairs)
    numbers = list(range(100, 140))
    table = {
        "id": numbers,
        "source": [source for source, _ in pairs],
        "target": [target for _, target in pairs],
        "references": [[target] if row % 3 else [target, target.upper()] for row, (_, target) in enumerate(pairs)],
        "group": [""] * 40,
    }
    write_table(root / "data/ingest/test.parquet", "sentences", [table])
    write_table(root / "data/ingest/train.parquet", "sentences", [table])
    ids_table = {"id": numbers, "source_ids": sources, "target_ids": targets}
    write_table(root / "data/vocab/test.parquet", "ids", [ids_table], parts)
    writer = MemoryWriter(
        root / "data/encode/test",
        np.array(numbers),
        np.array([len(source) for source in sources]),
        width=48,
        dtype="float32",
        fingerprint=weights_fingerprint(model.encoder),
        shard_tokens=10_000,
    )
    for shard in writer.shards():
        ids, present = Sentences.of(sources).padded(0)
        with torch.no_grad():
            shard.put(np.arange(40), model.encoder(ids, present), present)
