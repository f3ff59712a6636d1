import { make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { isSeen } from "./seen.js";
import { canCompare, comparingTurned } from "./several.js";

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
  compare.addEventListener("click", () => last && change(comparingTurned(last)));
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
    element.hidden = !isSeen(scene.main);
    for (const choice of overlays) choice.setAttribute("aria-pressed", String(choice.dataset.value === state.overlay));
    opacity.value = String(state.opacity);
    reach.textContent = `${Math.round(state.opacity * 100)} %`;
    compare.hidden = !canCompare(scene);
    const { one } = wordsOf(scene.main.sheet);
    compare.textContent = `Compare ${one}s`;
    compare.title = `Each ${one} that you choose gets a colour of its own`;
    compare.setAttribute("aria-pressed", String(state.several !== null));
  }
  return { element, paint };
}
