"""Loggers beside DVCLive: one file each, imported only when `logging.loggers` names it."""
