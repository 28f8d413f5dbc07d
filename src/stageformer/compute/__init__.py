"""The machine: device, threads, processes and precision."""
