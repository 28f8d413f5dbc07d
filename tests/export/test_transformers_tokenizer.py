import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stageformer.errors import StageformerError
from stageformer.export.transformers_tokenizer import transformers_tokenizer
from stageformer.params.base import kinds
from stageformer.params.tokenize import Tokenize
from stageformer.text.conversion import source_ids, target_text
from stageformer.text.form import Form
from stageformer.text.normalisation import normalise
from stageformer.text.pair import tokenizer_class
from stageformer.text.vocabulary import UNK, Vocabulary
from tests.families import family

pytest.importorskip("transformers")

KINDS = [kind for kind, cls in kinds(Tokenize.model_fields["source"]).items() if cls.for_transformers]
SENTENCES = [
    "The house is small.", "The small house, (the very small house), isn't big!", "Größe 42% of 128 houses?",
    "naïve café; it's 12:30 o'clock", "«Ça va?» he said: don't worry [really] ...", "ΟΔΟΣ Σοφίας", "a_b-c/d@e",
] * 3  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.lists(
    st.sampled_from([*"  .,;:!?()[]'\"-_▁␛aÄßΣσςİ<>x", "The", "house", "small", "<eos>", "<unk>", "<br />", "##s"]),
    max_size=12,
).map("".join)


class Made(dict):
    def __repr__(self):  # Else a failure prints every vocabulary.
        return "made"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """For each kind and case: our tokenizer, a vocabulary that lacks rare tokens, and the library's, read from disk."""
    from transformers import AutoTokenizer

    found = Made()
    for kind in KINDS:
        for lowercase in (False, True):
            folder = tmp_path_factory.mktemp(kind)
            options = family(kind, vocabulary_size=150, case="lower" if lowercase else "keep")
            ours = tokenizer_class(kind).train(SENTENCES, options)
            counts = {}
            for tokens in ours.encode_batch(SENTENCES):
                for token in tokens:
                    counts[token] = counts.get(token, 0) + 1
            vocabulary = Vocabulary.from_counts(counts, min_frequency=4, max_size=None)
            exported = transformers_tokenizer(ours, vocabulary)
            exported.save(folder / "exported", 512)
            found[kind, lowercase] = (ours, vocabulary, exported, AutoTokenizer.from_pretrained(folder / "exported"))
    return found


CASES = pytest.mark.parametrize(("kind", "lowercase"), [(kind, low) for kind in KINDS for low in (False, True)])


@CASES
@settings(deadline=None, max_examples=60)
@given(text=TEXT)
@example("")
@example("The <eos> of <unk> and <bos>")
@example("␛␛_ ▁ ▁a ␛_b ␛")
@example("<br <br /> />")
@example("雪雪 house雪雪雪s ▁雪")
@example("\x1c\x85 tab\tand\u3000more \n")
@example("ΟΔΟΣ ΟΔΟΣ. Σ A'Σ ΑΣ.Β ΑΣ. ΣΣ")
@example("x" * 120)
def test_ids_are_ours(made, kind, lowercase, text):
    ours, vocabulary, exported, read = made[kind, lowercase]
    (wanted,) = source_ids([normalise(text)], ours, vocabulary)
    found = read(text).input_ids
    assert max(found) < exported.entries
    assert [index if index < len(vocabulary) else vocabulary.unk_id for index in found] == wanted


@CASES
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_texts_are_ours(made, kind, lowercase, data):
    ours, vocabulary, _, read = made[kind, lowercase]
    ids = data.draw(st.lists(st.integers(4, len(vocabulary) - 1), max_size=12))
    wanted = target_text(ids, ours, vocabulary)
    generated = [vocabulary.bos_id, *ids, vocabulary.eos_id, vocabulary.pad_id]
    assert read.decode(generated, skip_special_tokens=True) == wanted


def test_a_list_of_texts_is_padded(made):
    _, vocabulary, _, read = made["bpe", False]
    batch = read(["The house", "The"], padding=True)
    assert batch["input_ids"][1][-1] == vocabulary.pad_id
    assert batch["attention_mask"][1][-1] == 0
    assert set(batch) == {"input_ids", "attention_mask"}
    assert (read.pad_token_id, read.bos_token_id, read.eos_token_id, read.unk_token_id) == (0, 1, 2, 3)
    assert read.model_max_length == 512
    assert read.unk_token == UNK


def test_a_family_that_the_library_cannot_express_is_refused(made):
    ours, vocabulary, *_ = made["char", False]

    class Foreign(type(ours)):
        kind = "foreign"

        def to_hugging_face(self) -> None:
            return None

    with pytest.raises(StageformerError) as caught:
        transformers_tokenizer(Foreign(Form()), vocabulary)
    assert str(caught.value).startswith("the tokenizer is of the kind 'foreign', which the library tokenizers cannot")
    assert str(caught.value).endswith("take huggingface out of export.formats")
