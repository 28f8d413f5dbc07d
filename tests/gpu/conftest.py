"""Tests of one GPU. Without one, none of them is collected: `make test` has nothing to skip."""

import torch

collect_ignore_glob = [] if torch.cuda.is_available() else ["test_*.py"]
