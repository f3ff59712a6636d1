"""Traces from a model that draws: a prompt in, a picture and attention maps out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import diffusers
import torch
from diffusers.models.attention_processor import Attention
from torch import Tensor

from xattn_viz.core.trace import Layer, Trace
from xattn_viz.models.base import Adapter, Hooks, ModelCard
from xattn_viz.models.families.diffusion.prompt import Prompt
from xattn_viz.models.families.diffusion.results import PREVIEWS, Film, Gathering, Picture, Plan
from xattn_viz.models.families.diffusion.unet import Model, Settings
from xattn_viz.models.provenance import LIBRARIES, provenance
from xattn_viz.models.resources import bytes_held, run_slot
from xattn_viz.models.settings import Size


class DiffusionAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    further = ("negative_prompt", "weights")

    def __init__(self, card: ModelCard, model: Model) -> None:
        self.card, self.model = card, model
        parts = (model.reader, model.unet, getattr(model.decoder, "autoencoder", None))
        self.memory = bytes_held(*parts)
        self.size = Size({"cross": tuple(site.heads for site in model.sites.values())})

    def check(self, *, negative_prompt: str = "", weights: Mapping[int, float] | None = None, **asked: Any) -> Settings:
        """As `Adapter.check`.

        Options, each a number or what says one: `seed`; `steps`, 1 to 100; `guidance`, where 1 is none. With guidance
        above 1, `negative_prompt` says what to draw away from (nothing in particular unless given), and the maps are
        those under the prompt itself. `weights` is a factor for each word's number, from 0, as `tokens.word_spans`
        counts them: {2: 1.5} makes the third word weigh more, 0 leaves it out. In every layer and step, the word's
        attention weights are multiplied by it and each row is divided by its sum: the attention re-weighting of Hertz
        et al. 2022 (Prompt-to-Prompt Image Editing with Cross Attention Control), but rows stay distributions. A prompt
        can say the same itself: "a (blue:1.5) circle".
        """
        return Settings.of(super().check(**asked), negative_prompt, weights)

    def _trace(self, input: Any, settings: Settings, hooks: Hooks) -> Trace:  # type: ignore[override]
        """The pictures and maps of a prompt.

        There is one cross map with `step` None, the mean over all steps, and one for each step that is kept. Queries
        are the places of the picture, on one grid for all layers; keys are the tokens of the prompt. Layers are
        numbered in the order in which the U-Net runs them; `layers` names each one's block and the rows and
        columns that it has itself. `pictures` holds for each step that is kept what the model
        then takes the finished picture to be, and last that picture. `gathering` says what is kept.

        Raises InputError for a prompt that is empty or too long, or holds words that the model does not know.
        """
        prompt, without = self._read(input, settings)
        with run_slot(hooks.on_step), torch.inference_mode():
            return self._run(prompt, without, settings, hooks)

    def plain(self, input: Any, **options: Any) -> Picture:
        """Only the finished picture, `[row, column, 3]`, with nothing recorded."""
        settings = self.check(**options)
        prompt, without = self._read(input, settings)
        with run_slot(), torch.inference_mode():
            *_, last = self.model.denoise(prompt, without, settings)
            return self.model.decoder.decode(last.latents)

    def _read(self, input: Any, settings: Settings) -> tuple[Prompt, Prompt | None]:
        prompt = self.model.words.read(input)
        prompt.bias(settings.weights)  # refused here rather than in the queue
        return prompt, self.model.words.read_without(settings.negative_prompt) if settings.is_guided else None

    def _run(self, prompt: Prompt, without: Prompt | None, settings: Settings, hooks: Hooks) -> Trace:
        sites = self.model.sites
        plan = Plan.of(tuple(sites.values()), len(prompt.axis()), settings.steps)
        gathering = Gathering(sites, plan, prompt, ablated=bool(settings.ablate))
        film = Film(self.model.decoder)

        def see(module: Attention, weights: Tensor) -> None:
            hooks.report(0, 0)  # a step of a large model takes many seconds
            gathering.see(module, weights)

        hooks.report(0, settings.steps)
        steps = self.model.denoise(prompt, without, settings, see)
        for done, step in enumerate(steps, start=1):
            gathering.end()
            if done - 1 in plan.steps:
                film.add(step.prediction)
            if done < settings.steps:
                hooks.report(done, settings.steps)
                hooks.show(lambda: self._made(prompt, settings, plan, gathering, film.so_far()))
        return self._made(prompt, settings, plan, gathering, film.finished(step.latents))

    def _made(
        self, prompt: Prompt, settings: Settings, plan: Plan, gathering: Gathering, pictures: tuple[Picture, ...]
    ) -> Trace:
        sites, schedule = tuple(self.model.sites.values()), self.model.schedule.config
        notes = [
            *([prompt.note] if prompt.note else []),
            *plan.notes(sites, settings.steps),
            *(() if self.model.decoder.is_cheap else (PREVIEWS,)),
        ]
        decoding = {
            "method": "DDIM",
            "prediction_type": schedule.prediction_type,
            "timestep_spacing": schedule.timestep_spacing,
        }
        libraries = (*LIBRARIES, diffusers)
        text = prompt.tokens.text
        said = provenance(self.model.identity, settings.as_keywords(), decoding, text, libraries)
        layers = tuple(Layer(site.name, (site.grid, site.grid)) for site in sites)
        trace = Trace(gathering.maps(), text, "", provenance=said, pictures=pictures, layers=layers)
        return trace.with_notes(*self.model.identity.notes, *notes)
