"""Speed, memory and scale, side by side: ``python -m benchmarks.NAME``, from the root of the repository.

A benchmark always measures the library that lies beside it, not one installed elsewhere.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
