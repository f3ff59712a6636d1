"""Words that are not in a prompt: what the layers that read the prompt would read of them, had they been there.

As ConceptAttention does (Helbling et al. 2025, ConceptAttention: Diffusion Transformers Learn Highly Interpretable
Features), a concept's embedding is read by the model's own layers while the picture is drawn, which does not know of
it. There concepts are weighed against each other; here each by itself is weighed against the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from xattn_viz.core.axis import Axis
from xattn_viz.core.maps import MapKind
from xattn_viz.inputs import InputError
from xattn_viz.models.families.diffusion.prompt import Prompt

#: The name of the option, and the kind of its maps.
CONCEPTS: MapKind = "concepts"
MOST_CONCEPTS = 8
NOTE = (
    "A concept’s map says what each place would read of it if it stood beside the prompt’s tokens, each concept by "
    "itself. The text encoder read it alone, and the drawing does not know of it."
)


def named(said: str) -> tuple[str, ...]:
    """The concepts that a text lists with commas between, each once. Raises InputError for more than the most."""
    found = tuple(dict.fromkeys(name for part in said.split(",") if (name := " ".join(part.split()))))
    if len(found) > MOST_CONCEPTS:
        raise InputError(f"At most {MOST_CONCEPTS} concepts are looked for at once: got {len(found)}.")
    return found


def own_tokens(name: str, read: Prompt) -> list[int]:
    """The positions of a concept's own tokens in the sequence that the text encoder reads it as.

    Raises InputError where it is weighed, as words of a prompt can be: its map would not say so.
    """
    if set(read.factors) - {1.0}:
        raise InputError(f"The concept {name!r:.60} has no weight: it is not in the prompt.")
    return [place for place, special in enumerate(read.tokens.special) if not special]


def axis_of(names: tuple[str, ...]) -> Axis:
    """The concepts as the columns of a map."""
    return Axis("text", names, words=tuple(range(len(names))))


@dataclass(frozen=True)
class Concepts:
    """Concepts by their names, and their embeddings `[concept, width]`: the mean over the tokens of each."""

    states: Mapping[str, Tensor]

    def keys(self, attention: Any) -> Tensor:
        """Their keys in a layer, `[head, concept, d_k]`: its own projection, as the prompt's tokens go through it."""
        states = torch.stack([*self.states.values()])
        keys: Tensor = attention.to_k(states).view(len(states), attention.heads, -1).transpose(0, 1)
        return keys if getattr(attention, "norm_k", None) is None else attention.norm_k(keys)


def beside(query: Tensor, keys: Tensor, scale: float, scores: Tensor) -> Tensor:
    """What each query would read of each concept, `[..., query, concept]`, beside what it reads.

    With `scores` `[..., query, key]` of the prompt (all that is added before its softmax included) and s = q kᵀ scale
    of a concept alone, e^s / (e^s + Σ e^score). If a token of the prompt has weight w, and a concept the same key, this
    is w / (1 + w).
    """
    own = (query.float() * scale) @ keys.float().transpose(-1, -2)
    return torch.sigmoid(own - scores.logsumexp(-1, keepdim=True))
