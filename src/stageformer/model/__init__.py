"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), readable in one sitting.

Read in this order: ``masks``, ``attention``, ``positions``, ``embedding``, ``layers``, ``encoder``, ``decoder``,
``transformer``, and ``incremental`` for decoding. This package imports torch and nothing of ours but itself.

Shape letters, used everywhere: B batch, S source length, T target length, D d_model, H heads, F feed-forward (d_ff),
V vocabulary.
"""
