"""Where a corpus comes from: one file for each value of ``ingest.source``, found by its name."""
