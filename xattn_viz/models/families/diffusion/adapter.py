"""Traces from a model that draws: a prompt in, a picture and attention maps out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import diffusers
import torch

from xattn_viz.core.maps import MapKind
from xattn_viz.core.trace import Layer, Trace
from xattn_viz.models.base import Adapter, Hooks, ModelCard, ModelError
from xattn_viz.models.engine.results import LIBRARIES
from xattn_viz.models.families.diffusion.concepts import CONCEPTS, NOTE, named, own_tokens
from xattn_viz.models.families.diffusion.pipelines import Pipeline
from xattn_viz.models.families.diffusion.results import PREVIEWS, Gathering, Picture, Plan, StepPictures
from xattn_viz.models.families.diffusion.start import Start
from xattn_viz.models.families.diffusion.unet import Denoised, Model, Settings
from xattn_viz.models.provenance import Size, provenance
from xattn_viz.models.resources import bytes_held, check_free, run_slot


class DiffusionAdapter(Adapter):
    """One loaded model. Nothing in it changes during a run, so threads share it."""

    def __init__(self, card: ModelCard, model: Model | Pipeline) -> None:
        self.card, self.model = card, cast(Any, model)  # both do the same for it, each with parts of its own
        offered = [option.name for option in card.options]
        own = ("negative_prompt", "weights", *(("start", "mask", "strength") if model.begins_as_pictures else ()))
        self.further = tuple(name for name in own if name not in offered)
        self.memory = bytes_held(*model.networks)
        heads = tuple(site.heads for site in model.sites.values())
        self.size = Size(dict.fromkeys(card.kinds, heads))

    def check(
        self,
        *,
        negative_prompt: str = "",
        weights: Mapping[int, float] | None = None,
        start: Any = None,
        mask: Any = None,
        strength: Any = None,
        **asked: Any,
    ) -> Settings:
        """As `Adapter.check`.

        Options, each a number or what says one: `seed`; `steps`, 1 to 100; `guidance`, where 1 is none. With guidance
        above 1, `negative_prompt` says what to draw away from (nothing in particular unless given), and the maps are
        those under the prompt itself. `weights` is a factor for each word's number, from 0, as `tokens.word_spans`
        counts them: {2: 1.5} makes the third word weigh more, 0 leaves it out. In every layer and step, the word's
        attention weights are multiplied by it and each row is divided by its sum: the attention re-weighting of Hertz
        et al. 2022 (Prompt-to-Prompt Image Editing with Cross Attention Control), but rows stay distributions. A prompt
        can say the same itself: "a (blue:1.5) circle".

        `concepts`, of models with cross-attention, are words that the prompt need not have, with commas between: the
        trace has a map of the kind "concepts" then, whose columns they are (see `concepts.beside`).

        A pipeline of diffusers can begin as a picture: `start` is what `inputs.images.read` takes, `strength` (0.6)
        says how much of it is drawn over, and `mask`, where it is light, which part (SDEdit, Meng et al. 2022;
        outside of the mask each step gets the start back with that step's noise).
        """
        if negative_prompt and not self.model.takes_negative_prompts:
            raise ModelError(f"{self.card.title} takes no negative prompt: it was trained to need no second drawing.")
        if "negative_prompt" in (option.name for option in self.card.options):
            asked["negative_prompt"] = negative_prompt
        checked = super().check(**asked)
        begun = self._start(start, mask, strength, checked.options)
        return Settings.of(checked, negative_prompt, weights, begun)

    def _start(self, start: Any, mask: Any, strength: Any, options: Mapping[str, Any]) -> Start | None:
        if any(given is not None for given in (start, mask, strength)) and not self.model.begins_as_pictures:
            raise ModelError(f"{self.card.title} draws from noise only: leave start, mask and strength away.")
        begun = Start.of(start, mask, strength, options.get("size") or self.model.side or 0)
        if begun is not None and not self.model.steps_begun(options["steps"], begun.strength):
            raise ModelError(f"A strength of {begun.strength:g} leaves none of {options['steps']} steps: give more.")
        return begun

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
            picture: Picture = self.model.draw(prompt, without, settings)
        return picture

    def most_bytes(self, input: Any, **options: Any) -> int:
        """How many bytes the maps of a run will take at most. Raises as `trace` does."""
        settings = self.check(**options)
        prompt, _ = self._read(input, settings)
        return self._plan(prompt, settings)[1]

    def _plan(self, prompt: Any, settings: Settings) -> tuple[Plan, int]:
        sites = tuple(self.model.sites_at(settings.size).values())
        keys = len(prompt.axis()) + len(named(settings.concepts or ""))
        plan = Plan.of(sites, keys, self.model.steps_of(settings))
        return plan, plan.size(sites, keys)

    def _read(self, input: Any, settings: Settings) -> tuple[Any, Any]:
        prompt = self.model.read(input)
        prompt.bias(settings.weights)  # refused here rather than in the queue
        for name, read in self.model.read_concepts(settings.concepts).items():
            own_tokens(name, read)
        return prompt, self.model.read_without(settings.negative_prompt) if settings.is_guided else None

    def _run(self, prompt: Any, without: Any, settings: Settings, hooks: Hooks) -> Trace:
        model, steps = self.model, self.model.steps_of(settings)
        plan, needed = self._plan(prompt, settings)
        check_free(needed, "Keeping these maps", "ask for fewer steps or a smaller picture", ModelError)
        sites, concepts = model.sites_at(settings.size), named(settings.concepts or "")
        gathering = Gathering(sites, plan, prompt, concepts, ablated=bool(settings.ablate))
        made, done, latents = StepPictures(model.decoder), 0, torch.empty(0)

        def see(module: Any, weights: Mapping[MapKind, torch.Tensor]) -> None:
            hooks.report(0, 0)  # a step of a large model takes many seconds
            gathering.see(module, weights)

        def end(step: Denoised) -> None:
            nonlocal done, latents
            gathering.end()
            if done in plan.steps:
                made.add(step.prediction)
            done, latents = done + 1, step.latents
            if done < steps:
                hooks.report(done, steps)
                hooks.show(lambda: self._made(prompt, settings, plan, gathering, made.so_far()))

        hooks.report(0, steps)
        picture = model.draw(prompt, without, settings, see, end, is_mean=not plan.is_whole)
        return self._made(prompt, settings, plan, gathering, made.finished(latents, picture))

    def _made(
        self, prompt: Any, settings: Settings, plan: Plan, gathering: Gathering, pictures: tuple[Picture, ...]
    ) -> Trace:
        model, text = self.model, prompt.text
        sites = tuple(model.sites_at(settings.size).values())
        notes = [
            *([prompt.note] if prompt.note else []),
            *([model.said] if model.said else []),
            *([settings.start.note()] if settings.start else []),
            *gathering.notes(),
            *([NOTE] if settings.concepts else []),
            *plan.notes(sites, model.steps_of(settings)),
            *(() if model.decoder.is_cheap else (PREVIEWS,)),
        ]
        libraries = (*LIBRARIES, diffusers)
        said = provenance(model.identity, settings.as_keywords(), model.decoding(settings), text, libraries)
        layers = tuple(Layer(site.name, (site.grid, site.grid)) for site in sites)
        maps = tuple(maps for maps in gathering.maps() if maps.kind in ("cross", CONCEPTS, *settings.kinds))
        trace = Trace(maps, text, "", provenance=said, pictures=pictures, layers=layers)
        return trace.with_notes(*model.identity.notes, *notes)
