"""Where the vectors of tokens come from: one file per source, all behind the interface of ``base.py``."""
