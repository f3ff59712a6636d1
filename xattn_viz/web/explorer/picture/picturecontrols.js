import { button, make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { canCompare, comparingToggled, isOverPicture } from "./patches.js";

/**
 * How weights lie over a picture: smooth or by patch, how opaque, one word or several.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 */

/** @param {import("../core/scene.js").Change} change */
export function makePictureControls(change) {
  /** @type {Scene | null} */
  let last = null;
  const overlays = Object.entries({ smooth: "Smooth", patches: "Patches" }).map(([value, text]) => {
    const choice = make("button", { type: "button", class: "xv-button", "data-value": value }, text);
    choice.addEventListener("click", () => change({ overlay: value }));
    return choice;
  });
  const opacity = make("input", { type: "range", min: 0, max: 1, step: 0.05, "aria-label": "Opacity of the weights" });
  opacity.addEventListener("input", () => change({ opacity: Number(opacity.value) }));
  const reach = make("output", { class: "xv-opacity" });
  const compare = make("button", { type: "button", class: "xv-button" });
  compare.addEventListener("click", () => last && change(comparingToggled(last)));
  const element = make(
    "span",
    { class: "xv-picture-controls" },
    make("span", { class: "xv-switch", role: "group", "aria-label": "Weights over the picture" }, ...overlays),
    make("label", { class: "xv-check-label" }, "Opacity", opacity),
    reach,
    compare,
  );

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const { state } = scene;
    element.hidden = !isOverPicture(scene.main);
    for (const choice of overlays) choice.setAttribute("aria-pressed", String(choice.dataset.value === state.overlay));
    opacity.value = String(state.opacity);
    reach.textContent = `${Math.round(state.opacity * 100)} %`;
    compare.hidden = !canCompare(scene);
    const { one } = wordsOf(scene.main.sheet);
    compare.textContent = `Compare ${one}s`;
    compare.dataset.help = `Each ${one} that you choose gets a colour of its own`;
    compare.setAttribute("aria-pressed", String(state.several !== null));
  }
  return { element, paint };
}

/**
 * The steps in which a picture was drawn out of noise: a slider through the maps of each, and the picture as it was.
 */

const DRAWING_PACE = 300; // milliseconds a step

/** @param {import("../core/scene.js").Change} change */
export function makeDenoising(change) {
  const play = button("Play the drawing", "▶");
  const slider = make("input", { type: "range", min: 0, step: 1, "aria-label": "Denoising step" });
  const said = make("output", { class: "xv-noise-step" });
  const element = make("div", { class: "xv-noise", role: "group", "aria-label": "Steps of the drawing" });
  element.append(play, slider, said);
  /** @type {Scene | null} */
  let last = null;
  /** @type {number | undefined} */
  let timer;
  const count = () => last?.trace.drawn.length ?? 0;
  const face = () => {
    play.textContent = timer === undefined ? "▶" : "❚❚";
    play.setAttribute("aria-label", timer === undefined ? "Play the drawing" : "Pause");
  };
  const stop = () => {
    window.clearInterval(timer);
    timer = undefined;
    face();
  };
  const forward = () => {
    const next = (last?.state.noise ?? -1) + 1;
    if (next >= count()) {
      stop();
      change({ noise: -1 });
    } else change({ noise: next });
  };
  play.addEventListener("click", () => {
    if (timer !== undefined) return stop();
    timer = window.setInterval(forward, DRAWING_PACE);
    face();
    return forward();
  });
  // All steps together stand behind the last one, where the picture is finished.
  slider.addEventListener("input", () => {
    stop();
    const step = Number(slider.value);
    change({ noise: step < count() ? step : -1 });
  });

  /** @param {Scene} scene */
  function paint(scene) {
    if (last && last.trace !== scene.trace) stop();
    last = scene;
    element.hidden = count() < 2 || !["cross", "text-to-image", "concepts"].includes(scene.main.sheet.kind);
    const { noise } = scene.state;
    const step = noise < count() ? noise : -1;
    slider.max = String(count());
    slider.value = String(step < 0 ? count() : step);
    const own = scene.trace.noise(step);
    // Of a long drawing only some steps are kept, each with its own number.
    const number = (own?.step ?? step) + 1;
    const among = number === step + 1 ? ` of ${count()}` : ` (${step + 1} of ${count()} kept)`;
    const name = step < 0 ? "All steps together" : `Step ${number}${among}`;
    said.textContent = own || step < 0 ? name : `${name}, with the weights of all steps`;
    slider.setAttribute("aria-valuetext", said.textContent);
  }
  return { element, paint, stop };
}
