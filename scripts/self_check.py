"""Write what each model that comes with the package answers to its probe: `make self-check`.

Only where the tests pass, with the versions of constraints.txt: what a model answers here is what it has to answer
everywhere. A new model needs an entry with its probe in `xattn_viz/models/self_check.json` first; the tests hold that
each has one, and that what is written here is right as people see it.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import warnings

from xattn_viz.models import registry
from xattn_viz.models.base import ModelWarning
from xattn_viz.models.self_check import FILE, measure

#: The libraries whose releases may change what a model does.
LIBRARIES = ("torch", "transformers", "tokenizers", "diffusers", "sentencepiece", "numpy", "pillow", "av")
_INNERMOST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


def main() -> None:
    """Measure and write."""
    said = json.loads(FILE.read_bytes())
    for name, entry in said["models"].items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelWarning)  # it answers otherwise than before: that is why we are here
            entry["expected"] = measure(registry.load(name), entry["probe"])
        print(f"{name}: {entry['expected']['output']}")
    said["versions"] = {name: importlib.metadata.version(name).split("+")[0] for name in LIBRARIES}
    FILE.write_text(written(said), encoding="utf-8")


def written(said: object) -> str:
    """JSON with one line for each head's numbers."""
    text = json.dumps(said, indent=1, ensure_ascii=False)
    return _INNERMOST.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


if __name__ == "__main__":
    main()
