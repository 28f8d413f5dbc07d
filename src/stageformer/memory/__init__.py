"""The memory: what an encoder makes of every sentence, written once and read many times."""
