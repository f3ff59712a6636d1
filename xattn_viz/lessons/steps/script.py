"""A setting as a script for a notebook."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xattn_viz.lessons.steps.setting import Setting


def snippet(setting: Setting) -> str:
    """A script of at most 15 lines that runs `CrossAttention` on a setting and prints weights and output.

    The names in it: `attention` is what the layer gives, `[batch, …]` of one.
    """
    matrices = {"x": setting.x, "context": setting.context}
    weights = {"q_proj": setting.w_q, "k_proj": setting.w_k, "v_proj": setting.w_v, "out_proj": setting.w_o}
    sizes = f"{setting.d_model}, {setting.n_heads}, d_context={setting.d_context}, bias=False"
    options = ["x", "context"]
    lines = ["import torch", "import xattn_viz as xv", 'double = {"dtype": torch.float64}']
    lines += [f"{name} = torch.tensor([{_written(values)}], **double)" for name, values in matrices.items()]
    lines.append(f"layer = xv.CrossAttention({sizes}).double()")
    lines += [f"layer.{name}.weight.data = torch.tensor({_written(w)}, **double).T" for name, w in weights.items()]
    if not setting.allowed.all():
        lines.append(f"mask = torch.tensor({_written(setting.allowed)})  # True: the query may attend to the key")
        options.append("mask=mask")
    if not setting.scaled:
        options.append("scale=1.0")
    lines += [
        f"attention = layer({', '.join(options)})",
        "print(attention.weights[0].detach().numpy().round(2))  # [head, query, key]",
        "print(attention.output[0].detach().numpy().round(2))  # [query, d_model]",
    ]
    return "\n".join(lines)


def _written(values: NDArray[np.float64] | NDArray[np.bool_]) -> str:
    return str(values.tolist())
