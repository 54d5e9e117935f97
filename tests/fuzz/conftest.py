"""The folder above `tests` is on the path, as for `python -m`, since fuzzing also runs in processes of its own."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
for place in (ROOT, ROOT / "tests", ROOT / "tools"):
    if str(place) not in sys.path:
        sys.path.append(str(place))
