"""The memory: the encoder output of every sentence, written once and read many times."""
