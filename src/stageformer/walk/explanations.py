"""What each step of the walk means: a title, plain words, the formula with its place in the paper, and our code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import stageformer.model.attention as attention
import stageformer.model.embedding as embedding
from stageformer.decoding.beam import beam_search
from stageformer.decoding.greedy import greedy
from stageformer.decoding.next_tokens import NextTokens
from stageformer.decoding.sampling import _draw
from stageformer.model.layers import FeedForward, Sublayer
from stageformer.model.transformer import Decoder, Encoder
from stageformer.text import conversion, normalisation
from stageformer.text.vocabulary import Vocabulary
from stageformer.translator.translator import Translator
from stageformer.walk.source_code import Excerpt, excerpt
from stageformer.walk.walked import Walked


class Explanation(NamedTuple):
    """One kind of step."""

    title: str
    text: str
    formula: str
    """HTML"""
    place: str
    """in "Attention Is All You Need", or "" where the paper says nothing"""
    code: tuple[Excerpt, ...]


Lines = tuple[Callable[..., Any], str, str | None]

_BIAS = "where projections have no bias b; here they have, as in most code"
_NORM = "LayerNorm(<i>x</i> + Sublayer(<i>x</i>))"
_KINDS: dict[str, tuple[str, str, str, str, Lines]] = {
    "text": (
        "The text",
        "This is all that you give. To a computer it is a row of characters, each of them a number.",
        "", "", (Translator._encode_sources, "cleaned =", "source_ids("),
    ),
    "normalised": (
        "Normalised",
        "One spelling for what looks alike: composed characters (é is one character, not two), one space between "
        "words, none at the ends. The corpus was written this way, so the model has never seen anything else.",
        "", "", (normalisation.normalise, "return", None),
    ),
    "tokens": (
        "Tokens",
        "The tokenizer cuts the text into pieces that it learned from the corpus. Frequent words stay whole, rare ones "
        "fall into parts. ▁ marks the space before a word, so that nothing is lost. <eos> says that the sentence ends.",
        "", "section 5.1", (conversion.source_ids, "return", None),
    ),
    "ids": (
        "Ids",
        "The vocabulary gives each token a number.",
        "", "", (Vocabulary.to_ids, "return", None),
    ),
    "embedding": (
        "A vector for each token",
        "Each id picks one row of the embedding matrix. That row was learned: tokens that are used alike get rows that "
        "point the same way. One lookup serves every token of every sentence at once.",
        "<i>x</i> = <i>E</i>[ids]", "section 3.4",
        (embedding.Embedding.forward, "F.embedding", None),
    ),
    "positions": (
        "Positions added",
        "Attention does not know what comes first. So a fixed vector of sines and cosines, one for each position, is "
        "added to the token’s vector. There is no loop over tokens or sentences: the same [S, D] table is added to the "
        "whole batch [B, S, D] in one sum.",
        "PE(<i>pos</i>, 2<i>i</i>) = sin(<i>pos</i> / 10000<sup>2<i>i</i>/<i>d</i></sup>), "
        "PE(<i>pos</i>, 2<i>i</i>+1) = cos(<i>pos</i> / 10000<sup>2<i>i</i>/<i>d</i></sup>)", "section 3.5",
        (embedding.sinusoidal_positions, "position =", "torch.cos"),
    ),
    "positions_learned": (
        "Positions added",
        "Attention does not know what comes first. So a vector for each position is added to the token’s vector. This "
        "model has learned these vectors, as it has learned those of the tokens. There is no loop over tokens or "
        "sentences: the same [S, D] table is added to the whole batch [B, S, D] in one sum.",
        "<i>x</i> + <i>P</i>", "section 3.5, where learned positions did as well",
        (embedding.add_positions, "return", None),
    ),
    "norm_before": (
        "Norm first",
        "This model normalises before each sub-layer: every row gets mean 0 and variance 1, then a learned scale and "
        "shift.",
        "<i>x</i> + Sublayer(LayerNorm(<i>x</i>))", "Xiong et al. 2020; the paper’s own is in section 3.1",
        (Sublayer.forward, "if self.pre_norm", "add_dropped"),
    ),
    "projections": (
        "Query, key, value",
        "Three learned matrices turn every row into three shorter ones. The query says what this token looks for, the "
        "key what it offers, the value what it hands over if it is chosen. Each head has its own matrices.",
        "<i>Q</i> = <i>xW<sup>Q</sup></i> + <i>b<sup>Q</sup></i>, <i>K</i> = <i>xW<sup>K</sup></i> + "
        "<i>b<sup>K</sup></i>, <i>V</i> = <i>xW<sup>V</sup></i> + <i>b<sup>V</sup></i>",
        f"section 3.2.2, {_BIAS}", (attention.MultiHeadAttention.project, "if key_input", "return split_heads"),
    ),
    "projections_cross": (
        "Query from here, key and value from the memory",
        "Cross-attention asks the source. The queries come from what has been written so far; keys and "
        "values come from "
        "the memory, and are the same at every step.",
        "<i>Q</i> = <i>xW<sup>Q</sup></i> + <i>b<sup>Q</sup></i>, <i>K</i> = <i>MW<sup>K</sup></i> + "
        "<i>b<sup>K</sup></i>, <i>V</i> = <i>MW<sup>V</sup></i> + <i>b<sup>V</sup></i>",
        f"section 3.2.3, {_BIAS}", (attention.MultiHeadAttention.project, "self.project_query", None),
    ),
    "scores": (
        "Scores",
        "Every query is compared with every key by a dot product: large where they fit. Dividing by √d_k keeps the "
        "numbers small enough for the softmax to stay soft.",
        "<i>QK</i><sup>⊤</sup> / √<i>d<sub>k</sub></i>", "section 3.2.1, equation 1",
        (attention.attention_matrices, "scores = query", None),
    ),
    "scores_masked": (
        "Scores and mask",
        "A token must not see those after it: they are not written yet. The mask is a triangle; where it forbids, the "
        "score becomes −∞ (hatched).",
        "<i>QK</i><sup>⊤</sup> / √<i>d<sub>k</sub></i>, −∞ where masked", "section 3.2.3",
        (attention.attention_matrices, "scores = query", "masked_fill(~mask, -math.inf"),
    ),
    "softmax": (
        "Softmax",
        "Each row of scores becomes shares that sum to 1: how much of its attention one token gives to each other. "
        "Where the mask forbids, the share is 0.",
        "softmax(<i>QK</i><sup>⊤</sup> / √<i>d<sub>k</sub></i>)", "section 3.2.1, equation 1",
        (attention.attention_matrices, "weights = scores.softmax", "masked_fill(~mask, 0.0"),
    ),
    "heads": (
        "The head’s answer",
        "Each token takes the average of all values, weighted by its shares. This is what it learned from "
        "the others in "
        "this head.",
        "head<sub><i>i</i></sub> = softmax(<i>QK</i><sup>⊤</sup> / √<i>d<sub>k</sub></i>) <i>V</i>",
        "section 3.2.2", (attention.attention_matrices, "return scores", None),
    ),
    "output": (
        "Heads side by side",
        "The answers of all heads are put side by side, and one more matrix mixes them.",
        "MultiHead = Concat(head<sub>1</sub>, …, head<sub><i>h</i></sub>) <i>W<sup>O</sup></i> + <i>b<sup>O</sup></i>",
        f"section 3.2.2, {_BIAS}",
        (attention.MultiHeadAttention.forward, "query, key, value = self.project", "self.out_projection"),
    ),
    "residual": (
        "Residual and norm",
        "What went in is added to what came out, so that nothing is forgotten and gradients pass. Then every row gets "
        "mean 0 and variance 1, a learned scale and a learned shift.",
        _NORM, "section 3.1", (Sublayer.forward, "output: Tensor", "return output"),
    ),
    "residual_pre": (
        "Residual",
        "What went in is added to what came out, so that nothing is forgotten and gradients pass.",
        "<i>x</i> + Sublayer(LayerNorm(<i>x</i>))", "Xiong et al. 2020; the paper’s own is in section 3.1",
        (Sublayer.forward, "if self.pre_norm", "add_dropped"),
    ),
    "feed_forward": (
        "Feed-forward",
        "Each row passes two linear maps with an activation between them, every position by itself. The wide layer in "
        "the middle holds F numbers.",
        "", "section 3.3, equation 2", (FeedForward.forward, "hidden =", "return output"),
    ),
    "final_norm": (
        "The last norm",
        "A pre-norm stack ends with one more norm, since its last sum has not been normalised.",
        "LayerNorm(<i>x</i>)", "Xiong et al. 2020", (Encoder.states, "for layer", "self.norm"),
    ),
    "memory": (
        "Memory",
        "This is all that the decoder will ever see of the source: one vector a token. It is computed once. The stage "
        "`encode` saves it for every sentence, without padding, so that many decoders can learn from it.",
        "<i>M</i> = Encoder(<i>x</i>)", "section 3.1", (Encoder.states, "states = [", "self.norm"),
    ),
    "read": (
        "What the decoder reads",
        "The decoder reads what it has written so far, with <bos> in front. tgt_mask has the size of that: "
        "[1, 1] at the "
        "first step, since there is only <bos>, then one row and one column more at each step. A new row may look at "
        "all before it; no old row may look at the new one.",
        "", "section 3.2.3", (attention.causal_mask, "return", None),
    ),
    "target_embedding": (
        "Its vectors",
        "The same as on the source side: a row of the embedding matrix for each id, plus the position. Only the last "
        "row is new.",
        "<i>x</i> = <i>E</i>[ids]", "sections 3.4 and 3.5",
        (embedding.Embedding.forward, "F.embedding", "return"),
    ),
    "logits": (
        "Final linear: logits",
        "The last row is compared with the vector of every token in the vocabulary. That gives one number, the logit, "
        "for each possible next token. Here are the ten largest.",
        "logits = <i>hE</i><sup>⊤</sup>", "section 3.4", (Decoder.logits, "return", None),
    ),
    "probabilities": (
        "Softmax: which token is next?",
        "The softmax turns all logits into probabilities that sum to 1.",
        "<i>p<sub>i</sub></i> = exp(<i>z<sub>i</sub></i>) / Σ<sub><i>j</i></sub> exp(<i>z<sub>j</sub></i>)",
        "section 3.4", (greedy, "totals, _, newest = ", None),
    ),
    "chosen": (
        "Chosen",
        "The model gives ids, not words. The vocabulary turns the id back into a token, the tokenizer joins the tokens "
        "to text. Then the decoder reads one token more, and all begins again, until it writes <eos>.",
        "", "", (conversion.target_text, "return", None),
    ),
    "result": (
        "The translation",
        "Token by token, each with the probability that the model gave it. That is all: there is no other place where "
        "the translation comes from.",
        "<i>p</i>(<i>y</i> | <i>x</i>) = Π<sub><i>t</i></sub> <i>p</i>(<i>y<sub>t</sub></i> | "
        "<i>y</i><sub>&lt;<i>t</i></sub>, <i>x</i>)", "", (conversion.target_text, "return", None),
    ),
}  # fmt: skip

_IDS = {
    True: " The special tokens come first, then all others by how often they occur in the training set: a small id "
    "is a frequent token. Neighbours have nothing in common but their frequency.",
    False: " This vocabulary came with the tokenizer, whose ids follow an order of its own.",
}
_SOFTMAX: Lines = (NextTokens._log_probabilities_after, "log_probabilities = torch.log_softmax", None)
_SEARCHES: dict[str, tuple[str, str, tuple[Lines, ...]]] = {
    "greedy": (
        " Greedy search takes the most probable one. <pad>, <bos> and <unk> are never taken.",
        "section 3.4", (_SOFTMAX, (greedy, "totals, _, newest = ", None)),
    ),
    "beam": (
        " Beam search keeps several hypotheses and continues those with the best sums of log-probabilities, so that "
        "the token of the best translation need not be the most probable one here.",
        "section 3.4; beam search: section 6.1", (_SOFTMAX, (beam_search, "totals, parents, newest = ", None)),
    ),
    "sampling": (
        " Sampling draws one by its probability, after temperature, top-k and top-p.",
        "section 3.4; the paper does not sample",
        ((_draw, "probabilities = logits", None), (_draw, "place = torch.searchsorted", None)),
    ),
}  # fmt: skip
_ACTIVATIONS = {
    "relu": (
        " ReLU makes every negative number 0, so that many are exactly 0.",
        "max(0, <i>xW</i><sub>1</sub> + <i>b</i><sub>1</sub>)", "section 3.3, equation 2",
    ),
    "gelu": (
        " GELU takes negative numbers almost to 0, and lets large ones pass.",
        "GELU(<i>xW</i><sub>1</sub> + <i>b</i><sub>1</sub>)",
        "Hendrycks and Gimpel 2016; the paper’s own, with ReLU, is in section 3.3, equation 2",
    ),
}  # fmt: skip


def explanations(model: Walked) -> dict[str, Explanation]:
    """Return the explanation of every kind of step, as this model takes it.

    Where encoder and decoder differ, the decoder's has a key of its own: ``decoder feed_forward``.
    """
    found = {
        kind: Explanation(title, text, formula, place, (excerpt(*lines),))
        for kind, (title, text, formula, place, lines) in _KINDS.items()
    }
    config = model.shape.config
    _change(found, "ids", _IDS[model.is_by_count])
    for kind, side in (("embedding", config.source), ("target_embedding", config.target)):
        scale = " · √<i>d</i><sub>model</sub>" if side.scale else ""
        positions = {"sinusoidal": " + PE", "learned": " + <i>P</i>"}.get(side.positions, "")
        _change(found, kind, " The row is scaled by √d_model." if side.scale else " This model does not scale the row.",
                found[kind].formula + scale + (positions if kind == "target_embedding" else ""))  # fmt: skip
    text, place, lines = _SEARCHES[model.search]
    found["probabilities"] = found["probabilities"]._replace(place=place, code=tuple(excerpt(*one) for one in lines))
    _change(found, "probabilities", text)
    if not config.tie_output:
        _change(found, "logits", " This model has a matrix of its own for that.", "logits = <i>hW</i><sup>⊤</sup>")
    for stack, kind in ((config.decoder, "decoder feed_forward"), (config.encoder, "feed_forward")):
        text, inner, place = _ACTIVATIONS[stack.activation]
        formula = f"FFN(<i>x</i>) = {inner} <i>W</i><sub>2</sub> + <i>b</i><sub>2</sub>"
        found[kind] = found["feed_forward"]._replace(place=place)
        _change(found, kind, text, formula)
    if found["decoder feed_forward"] == found["feed_forward"]:
        del found["decoder feed_forward"]
    return found


def _change(found: dict[str, Explanation], kind: str, more: str, formula: str | None = None) -> None:
    before = found[kind]
    found[kind] = before._replace(text=before.text + more, formula=before.formula if formula is None else formula)
