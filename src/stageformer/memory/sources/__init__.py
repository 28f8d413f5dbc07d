"""What makes memory: one file for each maker, all behind the interface of ``base.py``."""
