"""Where the vectors of words come from: one file per source, all behind the interface of ``base.py``."""
