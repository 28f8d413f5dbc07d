"""The commands of ``stageformer``, one a module. What a command needs, it imports when it runs: `--help` is instant."""
