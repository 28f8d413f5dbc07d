"""The formats that other engines read: one file for each value of ``export.formats``, found by its name."""
