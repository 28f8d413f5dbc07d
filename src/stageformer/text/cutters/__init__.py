"""Word cutters of other libraries: one file each, under the name that ``cutter`` has in the parameters."""
