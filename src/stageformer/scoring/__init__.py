"""How good translations are: metrics of a corpus, of sentences, and by length. Nothing here imports torch."""
