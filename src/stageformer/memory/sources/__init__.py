"""What makes memory: one file per maker, all behind the interface of ``base.py``."""
