"""The commands of ``stageformer``, one per module. Each imports what it needs when it runs: `--help` is instant."""
