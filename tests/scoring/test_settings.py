import pytest

from stageformer.errors import StageformerError
from stageformer.params.evaluate import BLEU_TOKENIZATIONS, TOKENIZER_PACKAGES
from stageformer.scoring.settings import Settings


@pytest.mark.parametrize("tokenize", [name for name in BLEU_TOKENIZATIONS if name not in TOKENIZER_PACKAGES])
@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize(("language", "phonemes", "characters"), [(None, False, True), ("de", True, False)])
def test_signatures_tell_the_settings(tokenize, lowercase, language, phonemes, characters):
    settings = Settings(lowercase, tokenize, language, phonemes, characters)
    assert Settings.of_metrics(settings.scorer([["a"], ["b", "c"]]).signatures, "place") == settings


def test_the_dictionary_of_japanese_is_left_out():
    metrics = {"bleu_signature": "nrefs:1|case:mixed|eff:no|tok:ja-mecab-0.996-IPA|smooth:exp|version:2.6.0"}
    assert Settings.of_metrics(metrics, "place").bleu_tokenize == "ja-mecab"


@pytest.mark.parametrize("metrics", [{}, [], None, {"bleu_signature": "tok:other|case:lc"}, {"bleu_signature": 3}])
def test_other_files_are_refused(metrics):
    with pytest.raises(StageformerError, match=r"^place: not the metrics of the stage evaluate"):
        Settings.of_metrics(metrics, "place")
