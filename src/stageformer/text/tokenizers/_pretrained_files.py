"""The files of tokenizers that others made, read into the components of the Hugging Face library."""

from __future__ import annotations

import base64
import gzip
import json
from itertools import pairwise
from pathlib import Path

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as LibraryTokenizer

from stageformer.artifacts.reading import read_content
from stageformer.errors import StageformerError, require

FILE_NAME = "tokenizer.json"
READS = (
    "tokenizer.json, vocab.txt, vocab.json with merges.txt, encoder.json with vocab.bpe, CLIP's bpe_simple_vocab, a "
    ".tiktoken or .model file, or a folder that AutoTokenizer reads"
)
_PAIRS = (("vocab.json", "merges.txt"), ("encoder.json", "vocab.bpe"))
_CONFIGS = ("tokenizer_config.json", "config.json")
_END_OF_WORD = "</w>"
_CLIP_MERGES = 49_152 - 256 - 2
_CLIP_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"
_CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
_UPPER, _LOWER, _ENDING = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}", r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_O200K = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_ENDING}|[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_ENDING}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_GPT2 = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_ENCODINGS = {
    "gpt2": (_GPT2, 50_256), "r50k_base": (_GPT2, 50_256), "p50k_base": (_GPT2, 50_256),
    "cl100k_base": (_CL100K, 100_257), "o200k_base": (_O200K, 199_999),
}  # fmt: skip
"""What a file of ranks does not hold, by its name: where text is cut first, and the id of ``<|endoftext|>``."""


def read_pretrained(path: Path) -> LibraryTokenizer | Path:
    """Read a tokenizer from a file or a folder.

    Returns:
        The tokenizer, or the path of a SentencePiece model, which only its own library cuts alike.

    Raises:
        StageformerError: there is no such file, or it is no tokenizer that can be read.
    """
    folder = path if path.is_dir() else path.parent
    if path.name == FILE_NAME or (path.is_dir() and (path / FILE_NAME).is_file()):
        return from_json(folder / FILE_NAME)
    if not path.exists():
        raise StageformerError(f"{path}: no such file or folder; it should hold a tokenizer ({READS})")
    try:
        found = _read_file(path) if path.is_file() else _read_folder(path)
    except StageformerError:
        raise
    except Exception as error:  # the libraries raise no class of their own
        reason = " ".join(str(error).split())[:200]
        raise StageformerError(f"{path}: not a readable tokenizer ({reason})") from None
    if found is None:
        raise StageformerError(f"{path}: needed a tokenizer: {READS}")
    return found


def from_json(path: Path) -> LibraryTokenizer:
    """Read a ``tokenizer.json``. Raises StageformerError when it is missing or damaged."""
    try:
        return LibraryTokenizer.from_str(read_content(path).decode())
    except StageformerError:
        raise
    except FileNotFoundError:
        raise StageformerError(f"{path}: no such file; it should hold a tokenizer") from None
    except Exception as error:  # the library raises no class of its own
        reason = " ".join(str(error).split())
        raise StageformerError(f"{path}: not a readable tokenizer ({reason})") from None


def _read_folder(folder: Path) -> LibraryTokenizer | Path | None:
    if any(_names_its_class(folder / name) for name in _CONFIGS):
        # First, since models share the names of files: the pieces of T5 have other ids than its .model says.
        return _auto(folder)
    for pattern in ("vocab.json", "encoder.json", "vocab.txt", "*.model", "*.tiktoken", "bpe_simple_vocab*.txt.gz"):
        files = sorted(folder.glob(pattern))
        if len(files) == 1 and (found := _read_file(files[0])):
            return found
    return None


def _names_its_class(config: Path) -> bool:
    if not config.is_file():
        return False
    values = json.loads(read_content(config).decode())
    return isinstance(values, dict) and bool(values.get("tokenizer_class") or values.get("model_type"))


def _read_file(path: Path) -> LibraryTokenizer | Path | None:
    for names in _PAIRS:
        if path.name in names and all((path.parent / name).is_file() for name in names):
            return _of_pair(*(path.parent / name for name in names))
    if path.name == "vocab.txt":
        return _bert(path)
    if path.suffix == ".model":
        return path
    if path.suffix == ".tiktoken":
        return _tiktoken(path)
    return _clip_of_merges(path) if path.name.startswith("bpe_simple_vocab") else None


def _of_pair(vocabulary: Path, merges: Path) -> LibraryTokenizer:
    lines = read_content(merges).decode().splitlines()
    if any(line.endswith(_END_OF_WORD) for line in lines[:100]):
        return _clip(json.loads(read_content(vocabulary).decode()), _pairs(lines))
    return LibraryTokenizer.from_str(tokenizers.ByteLevelBPETokenizer(str(vocabulary), str(merges)).to_str())


def _bert(path: Path) -> LibraryTokenizer:
    lines = read_content(path).decode().splitlines()
    config = path.parent / "tokenizer_config.json"
    lower = None
    if config.is_file():
        lower = json.loads(read_content(config).decode()).get("do_lower_case")
    if lower is None:  # an uncased vocabulary has no upper-case letters, but in its special tokens
        lower = not any(line != line.lower() for line in lines if not line.startswith("["))
    return LibraryTokenizer.from_str(tokenizers.BertWordPieceTokenizer(str(path), lowercase=lower).to_str())


def _clip_of_merges(path: Path) -> LibraryTokenizer:
    """Read OpenAI's file of merges, from which the ids follow; it holds more of them than CLIP has."""
    opened = gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8")
    with opened as file:
        lines = file.read().splitlines()
    pairs = _pairs(lines[1 : _CLIP_MERGES + 1])
    characters = list(_byte_characters().values())
    tokens = [*characters, *(character + _END_OF_WORD for character in characters), *map("".join, pairs)]
    return _clip({token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}, pairs)


def _pairs(lines: list[str]) -> list[tuple[str, str]]:
    """Return the two tokens of each line, without the first, which may name the version of the format."""
    split = (line.split(" ") for line in lines if not line.startswith("#version"))
    return [(words[0], words[1]) for words in split if len(words) == 2]


def _clip(vocabulary: dict[str, int], merges: list[tuple[str, str]]) -> LibraryTokenizer:
    """CLIP's byte pairs, in which a token that ends a word says so; text is lower-cased, and its white space lost."""
    model = models.BPE(vocab=vocabulary, merges=merges, end_of_word_suffix=_END_OF_WORD)
    made = LibraryTokenizer(model)
    made.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    space = _byte_characters()[ord(" ")]
    # Not decoders.Strip, which panics at an empty text.
    last_space = decoders.Replace(Regex(" $"), "")
    made.decoder = decoders.Sequence([decoders.Replace(_END_OF_WORD, space), decoders.ByteLevel(), last_space])
    return made


def _tiktoken(path: Path) -> LibraryTokenizer:
    """Read a file of ranks of the library tiktoken: a token in base 64 and its rank on each line."""
    if path.stem not in _ENCODINGS:
        raise StageformerError(f"{path}: the name of an encoding must be one of {', '.join(_ENCODINGS)}")
    pattern, end_of_text = _ENCODINGS[path.stem]
    ranks = {}
    for line in read_content(path).splitlines():
        if line:
            token, rank = line.split()
            ranks[base64.b64decode(token)] = int(rank)
    characters = _byte_characters()

    def spelled(token: bytes) -> str:
        return "".join(characters[byte] for byte in token)

    pairs = (_last_merge(ranks, token, rank) for token, rank in ranks.items())
    merges = [(spelled(pair[0]), spelled(pair[1])) for pair in pairs if pair]
    vocabulary = {spelled(token): rank for token, rank in ranks.items()} | {"<|endoftext|>": end_of_text}
    made = LibraryTokenizer(models.BPE(vocab=vocabulary, merges=merges, ignore_merges=True))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    return made


def _last_merge(ranks: dict[bytes, int], token: bytes, rank: int) -> list[bytes] | None:
    """Return the two tokens that a token is merged from; None if it is none of merges."""
    parts = [bytes([byte]) for byte in token]
    while len(parts) > 2:
        pairs = [ranks.get(first + second, rank) for first, second in pairwise(parts)]
        lowest = min(pairs)
        if lowest >= rank:
            return None
        place = pairs.index(lowest)
        parts[place : place + 2] = [parts[place] + parts[place + 1]]
    return parts if len(parts) == 2 else None


def _auto(folder: Path) -> LibraryTokenizer | None:
    """Read what the library transformers reads, without a network, and without code of the folder."""
    require("transformers")
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    backend = getattr(loaded, "backend_tokenizer", None)
    if backend is None:
        raise StageformerError(
            f"{folder}: {type(loaded).__name__} cuts text by code of its own, which no tokenizer.json can hold"
        )
    if backend.get_vocab_size(with_added_tokens=False) <= len(loaded.all_special_tokens):
        return None  # it makes up an empty vocabulary where the files of the vocabulary are missing
    return LibraryTokenizer.from_str(backend.to_str())


def _byte_characters() -> dict[int, str]:
    """Return the character that byte-level tokenizers write for each byte, in the order of GPT-2's ids."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(256 + place) for place, byte in enumerate(others)}
