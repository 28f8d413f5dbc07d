"""What stands around the model of each family of tokenizers, in the components of the library ``tokenizers``.

Here, the library's own components do what our classes in :mod:`stageformer.text` do in Python: the text is cleaned as
the stage ``ingest`` does it, lower-cased, marked, cut, and joined again. A test holds both to the same.
"""

from __future__ import annotations

from collections.abc import Iterable

from tokenizers import Regex, decoders, normalizers, pre_tokenizers

from stageformer.text.tokenizers import marker
from stageformer.text.tokenizers.spacing import MARKS, NO_SPACE_LEFT, NO_SPACE_RIGHT
from stageformer.text.tokenizers.wordpiece import CONTINUATION
from stageformer.text.vocabulary import BOS, EOS, PAD, UNK

WORD_MARKS = frozenset("'.,()!?")
"""What the family ``word`` cuts off."""
_WHITE_SPACE = r"[\s\x1c-\x1f]+"  # the last four are white space to Python alone
_FINAL_SIGMA = r"\p{Cased}\p{Case_Ignorable}*\KΣ(?!\p{Case_Ignorable}*\p{Cased})"
_ESCAPE, _SPACE = marker.ESCAPE, marker.SPACE


def normalizer(kind: str, lowercase: bool) -> normalizers.Normalizer:
    """Return what turns any text into the form that is cut."""
    steps: list[normalizers.Normalizer] = [
        normalizers.NFC(), normalizers.Replace(Regex(_WHITE_SPACE), " "), normalizers.Strip()
    ]  # fmt: skip
    if lowercase:
        # The library lowers each letter alone; at the end of a word, Greek has a sigma of its own.
        steps += [normalizers.Replace(Regex(_FINAL_SIGMA), "ς"), normalizers.Lowercase(), normalizers.NFC()]
    if kind in ("bpe", "unigram"):
        steps += [normalizers.Replace(_ESCAPE, _ESCAPE * 2), normalizers.Replace(_SPACE, f"{_ESCAPE}_")]
        steps.append(marker.normalizer())
    elif kind == "byte_bpe":
        steps.append(normalizers.Prepend(" "))
    elif kind == "word":
        steps += [normalizers.Replace(mark, f" {mark} ") for mark in sorted(WORD_MARKS)]
        steps += [normalizers.Replace('"', ""), normalizers.Replace(Regex("[;: ]+"), " ")]
        # Taking out one can bring the halves of another together.
        steps += [normalizers.Replace(Regex("<br +/>"), " ")] * 2
        # Only this family can cut out a word that is spelt like a special token. It is not one.
        steps.append(normalizers.Replace(Regex(f"(?<![^ ])(?:{PAD}|{BOS}|{EOS})(?![^ ])"), UNK))
    return normalizers.Sequence(steps)


def pre_tokenizer(
    kind: str, learnt: pre_tokenizers.PreTokenizer | None, characters: Iterable[str]
) -> pre_tokenizers.PreTokenizer:
    """Return what cuts the text before the model does.

    Args:
        kind: the family
        learnt: that of the trained tokenizer; None in a family that learns nothing
        characters: every character that the model knows
    """
    if kind == "char":
        return pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    if kind == "word":
        return pre_tokenizers.WhitespaceSplit()
    assert learnt is not None
    if kind == "unigram":
        # The library makes one unknown piece of neighbouring unknown characters; we make one of each.
        unknown = pre_tokenizers.Split(Regex(f"[^{_class(characters)}]"), behavior="isolated")
        return pre_tokenizers.Sequence([learnt, unknown])
    return learnt


def decoder(kind: str) -> decoders.Decoder:
    """Return what joins tokens to text."""
    if kind == "char":
        return decoders.Fuse()
    if kind == "byte_bpe":
        return decoders.Sequence([decoders.ByteLevel(), decoders.Replace(Regex(r"\A "), "")])
    if kind in ("bpe", "unigram"):
        return decoders.Sequence([decoders.Fuse(), *_unmarking()])
    # No word holds a space, so the prefix of word matches nothing, and each word gets a space before it.
    prefix, marks = (CONTINUATION, MARKS) if kind == "wordpiece" else (" ", WORD_MARKS)
    left, right = _class(marks & NO_SPACE_LEFT), _class(marks & NO_SPACE_RIGHT)
    superfluous = Regex(rf" (?=[{left}](?: |\z))|(?<=\A[{right}]| [{right}]) ")
    joined = decoders.WordPiece(prefix=prefix, cleanup=False)
    return decoders.Sequence([joined, decoders.Fuse(), decoders.Replace(superfluous, "")])


def _unmarking() -> list[decoders.Decoder]:
    """Undo escaping and marking. Once the markers are spaces, the marker itself is free to hold a place."""
    replacements = [
        (f"{_ESCAPE}{_ESCAPE}", f"{_SPACE}a"),
        (f"{_ESCAPE}_", f"{_SPACE}b"),
        (f"{_SPACE}a", _ESCAPE),
        (f"{_SPACE}b", _SPACE),
    ]
    return [
        decoders.Replace(Regex(rf"\A{_SPACE}"), ""),
        decoders.Replace(_SPACE, " "),
        *(decoders.Replace(old, new) for old, new in replacements),
    ]


def _class(characters: Iterable[str]) -> str:
    """Return characters as the inside of a class of a regular expression."""
    return "".join(f"\\x{{{ord(character):x}}}" for character in sorted(set(characters)))
