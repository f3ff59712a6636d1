"""Find the heads that align in the translation models that come with the package: `make alignment-heads`.

Both directions are searched together, over sentences without their links; what is found goes to
`xattn_viz/analysis/alignment_heads.json` under the sha256 of each model's weights.
"""

from __future__ import annotations

import json
import re

from xattn_viz.analysis.alignment_heads import SHIPPED, entry, find_alignment_heads
from xattn_viz.models import registry

#: Models of opposite directions.
PAIRS = (("firefox-en-pt", "firefox-pt-en"),)
_INNERMOST = re.compile(r"\[\s+([^\[\]{}]*?)\s+\]")


def main() -> None:
    """Search and write."""
    said = {}
    for names in PAIRS:
        models = registry.load(names[0]), registry.load(names[1])
        found = find_alignment_heads(*models, keep=False)
        sides = ((found.heads, found.scores), (found.reverse_heads, found.reverse_scores))
        for model, (heads, scores) in zip(models, sides, strict=True):
            assert scores is not None  # noqa: S101 - two models were searched
            made = model.trace("a", target="a")
            said[str(made.provenance["weights_sha256"])] = entry(made, heads, scores)
            print(f"{made.model}: " + ", ".join(f"layer {h.layer}, head {h.head}, shift {h.shift}" for h in heads))
    SHIPPED.write_text(written(said), encoding="utf-8")


def written(said: object) -> str:
    """JSON with one line for each head's numbers."""
    text = json.dumps(said, indent=1)
    return _INNERMOST.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"


if __name__ == "__main__":
    main()
