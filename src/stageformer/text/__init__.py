"""From text to tokens to ids and back: tokenizers and the vocabulary. Nothing here imports torch."""
