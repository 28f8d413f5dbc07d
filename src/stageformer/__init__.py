"""Stageformer: the Transformer of "Attention Is All You Need" as a pipeline of staged artifacts."""
