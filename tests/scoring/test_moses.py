import pytest
import sacrebleu

from stageformer.errors import StageformerError
from stageformer.params.evaluate import MOSES_LANGUAGES
from stageformer.scoring.metrics import TokenizedBleu
from stageformer.scoring.moses import MosesText

# Made as Multi30k's lc.norm.tok files were, by the rules of the Perl scripts.
PREPARED = {
    "Ein Mann im T-Shirt ruft: „Hallo!“": "ein mann im t-shirt ruft : &quot; hallo ! &quot;",
    "Z.B. am 3. Mai geht's los…": "z.b. am 3. mai geht &apos; s los ...",
    "Ein  Hund (braun) & 1.000 Katzen": "ein hund ( braun ) &amp; 1.000 katzen",
}


def test_text_is_lower_cased_normalised_and_tokenised():
    prepare = MosesText("de", lowercase=True)
    assert [prepare(text) for text in PREPARED] == list(PREPARED.values())
    assert MosesText("de", lowercase=False)("Ein Mann.") == "Ein Mann ."
    # English separates the clitic from the word, not the apostrophe from both.
    assert MosesText("en", lowercase=True)("It's a dog.") == "it &apos;s a dog ."


def test_the_score_is_that_of_the_prepared_text():
    references = [[text, "Ein Mann"] for text in PREPARED]
    translations = ["ein Mann im t-shirt ruft: \"Hallo!\"", "Am 3. Mai geht es los…", "Katzen (braun) & 1.000 Hunde"]
    found = TokenizedBleu(references, language="de", lowercase=True)
    prepared = [
        "ein mann im t-shirt ruft : &quot; hallo ! &quot;",
        "am 3. mai geht es los ...",
        "katzen ( braun ) &amp; 1.000 hunde",
    ]
    expected = sacrebleu.corpus_bleu(
        prepared, [list(PREPARED.values()), ["ein mann"] * 3], tokenize="none", force=True
    ).score
    assert found.corpus(translations) == pytest.approx(expected)
    assert 20 < expected < 90


def test_the_signature_cannot_be_mistaken_for_another():
    found = TokenizedBleu([["Ein Hund."]], language="de", lowercase=True).signature
    assert found.startswith("nrefs:1|case:lc|eff:no|tok:moses-de|smooth:exp|version:")
    assert "|sacremoses:" in found
    assert "case:mixed|eff:no|tok:moses-en" in TokenizedBleu([["A"]], language="en", lowercase=False).signature


def test_the_languages_are_those_of_moses():
    from sacremoses.corpus import NonbreakingPrefixes

    assert set(MOSES_LANGUAGES) == set(NonbreakingPrefixes().available_langs.values())
    with pytest.raises(StageformerError, match=r"no rules for the language 'dee' \(did you mean 'de'\?\)"):
        MosesText("dee", lowercase=True)
