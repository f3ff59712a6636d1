"""See cross-attention, and check whether what you see is true.

Load a model and trace one sentence; the trace holds what came out, the maps, and each step of the decoding:

>>> import xattn_viz as xv
>>> model = xv.load("firefox-en-pt")
>>> trace = model.trace("The cat sat on the mat.")
>>> trace.output
'O gato sentou-se no tapete.'
>>> trace.cross.weights.shape == (2, 8, len(trace.cross.queries), len(trace.cross.keys))
True

Every map is `[layer, head, query, key]`, layers and heads counted from 0. Ask one for numbers or for a figure:

>>> xv.most_attended(trace.cross, layer=1, head=0)[1]
WordLink(source_index=1, target_index=1, source='cat', target='gato')
>>> frame = trace.cross.to_frame()
>>> figure = xv.figures.heatmap(trace.cross, layer=1, head=0)

A model of the opposite direction, forced to the same pair, says which words say the same (docs/alignment.md):

>>> back = xv.load("firefox-pt-en").trace(trace.output, target=trace.input)
>>> print(xv.align(trace, reverse=back, words="axis"))
The–O cat–gato sat–sentou-se on–no the–no mat–tapete .–.

Give it to others, as a page that needs no network or as a file that reads back equal:

>>> xv.export.write(trace, "cat.html")
>>> xv.save(trace, "cat.npz")
>>> xv.load_trace("cat.npz") == trace
True

A model takes whatever you have. Samples need their rate; what could be read in two ways is refused in a sentence:

>>> import numpy as np
>>> extractor = xv.load("whisper-tiny-en")
>>> extractor.trace(np.zeros(16000))  # doctest: +ELLIPSIS
Traceback (most recent call last):
xattn_viz.inputs.InputError: Samples do not say ...: say it, as in model.trace(samples, sampling_rate=16000).

A model that hears takes a sound file; each word it wrote has its time in the sound (docs/speech.md says how exact):

>>> from xattn_viz.examples import clips
>>> sound = clips.sound("forward")
>>> heard = xv.load("whisper-tiny-en").trace(sound)
>>> [word.text for word in xv.timed_words(heard)]
['Go', 'forward', '10', 'meters.']
>>> figure = xv.figures.heatmap(heard.cross, layer=2, head=4, sound=heard.input)
>>> text = xv.subtitles.srt(xv.timed_words(heard), sound.seconds)

The maths alone is one small layer whose every number is open, two words reading three:

>>> setting = xv.layer_steps.from_words("gato preto", "the black cat", n_heads=2)
>>> xv.layer_steps.steps(setting).weights.shape  # [head, query, key]
(2, 2, 3)
>>> figure = xv.figures.steps(setting)

Everything here is imported when it is first used: `import xattn_viz` alone brings in neither PyTorch nor Plotly.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from xattn_viz.core import VERSION

if TYPE_CHECKING:
    from xattn_viz import export
    from xattn_viz.analysis import alignment_files
    from xattn_viz.analysis.alignment import align
    from xattn_viz.analysis.alignment_heads import find_alignment_heads
    from xattn_viz.analysis.alignment_score import AlignmentScores, score
    from xattn_viz.analysis.attribution import Attribution, attribute
    from xattn_viz.analysis.compare import Change, Comparison, compare
    from xattn_viz.analysis.faithfulness import Covered, agreement, cover, deletion_curves, insertion_curves
    from xattn_viz.analysis.head_costs import HeadCosts, ablated_output, head_costs, smallest_set
    from xattn_viz.analysis.head_measures import HeadName, head_names, map_grids, surprises
    from xattn_viz.analysis.heads import WordLink, most_attended
    from xattn_viz.analysis.patching import edit_row, patch_heads
    from xattn_viz.analysis.profiles import HeadProfiles, head_profiles
    from xattn_viz.analysis.timing import TimedWord, timed_words
    from xattn_viz.analysis.word_scores import WordScores, score_times
    from xattn_viz.attention.layer import CrossAttention
    from xattn_viz.core.axis import Axis
    from xattn_viz.core.evidence import Alignment, AlignmentHead, Deletion
    from xattn_viz.core.interventions import Intervention
    from xattn_viz.core.maps import AttentionMaps, Projections
    from xattn_viz.core.store import load_trace, save
    from xattn_viz.core.trace import Alternative, HeadGrid, Hypothesis, Step, Trace
    from xattn_viz.core.view import View
    from xattn_viz.corpus import trace_many
    from xattn_viz.export import figures, subtitles
    from xattn_viz.export.moving import Animation, animate
    from xattn_viz.export.notebook import explore, show
    from xattn_viz.foreign.attention_files import load_attention
    from xattn_viz.foreign.other_tools import from_links
    from xattn_viz.inputs import InputError
    from xattn_viz.lessons import steps as layer_steps
    from xattn_viz.models.base import Adapter, ModelError, NeedsConsent
    from xattn_viz.models.external import from_attention
    from xattn_viz.models.registry import cards, load, rerun

__version__ = VERSION

__all__ = [
    "Adapter",
    "Alignment",
    "AlignmentHead",
    "AlignmentScores",
    "Alternative",
    "Animation",
    "AttentionMaps",
    "Attribution",
    "Axis",
    "Change",
    "Comparison",
    "Covered",
    "CrossAttention",
    "Deletion",
    "HeadCosts",
    "HeadGrid",
    "HeadName",
    "HeadProfiles",
    "Hypothesis",
    "InputError",
    "Intervention",
    "ModelError",
    "NeedsConsent",
    "Projections",
    "Step",
    "TimedWord",
    "Trace",
    "View",
    "WordLink",
    "WordScores",
    "ablated_output",
    "agreement",
    "align",
    "alignment_files",
    "animate",
    "attribute",
    "cards",
    "compare",
    "cover",
    "deletion_curves",
    "edit_row",
    "explore",
    "export",
    "figures",
    "find_alignment_heads",
    "from_attention",
    "from_links",
    "head_costs",
    "head_names",
    "head_profiles",
    "insertion_curves",
    "layer_steps",
    "load",
    "load_attention",
    "load_trace",
    "map_grids",
    "most_attended",
    "patch_heads",
    "rerun",
    "save",
    "score",
    "score_times",
    "show",
    "smallest_set",
    "subtitles",
    "surprises",
    "timed_words",
    "trace_many",
]

# Where each name lives; those in `_MODULES` are modules themselves.
_HOMES = {
    "ablated_output": "analysis.head_costs",
    "Adapter": "models.base",
    "agreement": "analysis.faithfulness",
    "align": "analysis.alignment",
    "Alignment": "analysis.alignment",
    "alignment_files": "analysis.alignment_files",
    "AlignmentHead": "analysis.alignment_heads",
    "AlignmentScores": "analysis.alignment_score",
    "Alternative": "core.trace",
    "animate": "export.moving",
    "Animation": "export.moving",
    "AttentionMaps": "core.maps",
    "attribute": "analysis.attribution",
    "Attribution": "analysis.attribution",
    "Axis": "core.axis",
    "cards": "models.registry",
    "Change": "analysis.compare",
    "compare": "analysis.compare",
    "Comparison": "analysis.compare",
    "cover": "analysis.faithfulness",
    "Covered": "analysis.faithfulness",
    "CrossAttention": "attention.layer",
    "deletion_curves": "analysis.faithfulness",
    "Deletion": "analysis.faithfulness",
    "edit_row": "analysis.patching",
    "explore": "export.notebook",
    "export": "export",
    "figures": "export.figures",
    "find_alignment_heads": "analysis.alignment_heads",
    "from_attention": "models.external",
    "from_links": "foreign.other_tools",
    "head_costs": "analysis.head_costs",
    "HeadCosts": "analysis.head_costs",
    "head_names": "analysis.head_measures",
    "head_profiles": "analysis.profiles",
    "HeadGrid": "core.trace",
    "HeadName": "analysis.head_measures",
    "HeadProfiles": "analysis.profiles",
    "Hypothesis": "core.trace",
    "InputError": "inputs",
    "insertion_curves": "analysis.faithfulness",
    "Intervention": "core.interventions",
    "layer_steps": "lessons.steps",
    "load": "models.registry",
    "load_attention": "foreign.attention_files",
    "load_trace": "core.store",
    "map_grids": "analysis.head_measures",
    "ModelError": "models.base",
    "NeedsConsent": "models.base",
    "most_attended": "analysis.heads",
    "patch_heads": "analysis.patching",
    "Projections": "core.maps",
    "rerun": "models.registry",
    "save": "core.store",
    "score": "analysis.alignment_score",
    "score_times": "analysis.word_scores",
    "show": "export.notebook",
    "smallest_set": "analysis.head_costs",
    "Step": "core.trace",
    "subtitles": "export.subtitles",
    "surprises": "analysis.head_measures",
    "timed_words": "analysis.timing",
    "TimedWord": "analysis.timing",
    "Trace": "core.trace",
    "trace_many": "corpus",
    "View": "core.view",
    "WordLink": "analysis.heads",
    "WordScores": "analysis.word_scores",
}
_MODULES = {"alignment_files", "export", "figures", "layer_steps", "subtitles"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_HOMES[name]}")
    return module if name in _MODULES else getattr(module, name)


def __dir__() -> list[str]:
    return list(__all__)
