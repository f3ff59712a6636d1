import { make } from "../explorer/core/dom.js";
import { otherKeys } from "./plates.js";

/**
 * Where each matrix stands: what is projected on the left, from the scores to the output on the right. Those of a real
 * head, wide and low, stand below each other.
 *
 * @typedef {import("./model.js").Model} Model
 */

// Signs between the matrices; a list stands in one line.
const LEFT = [
  ["x", "·", "w_q", "=", "q"],
  ["context", "·", "w_k", "=", "k"],
  ["w_v", "=", "v", "→", "heads"],
];
const RIGHT = [
  ["→", "scores", "→", "scaled"],
  ["→", "masked", "→", "weights"],
  ["·", "w_o", "=", "output"],
];
const REAL = ["q", "k", "scores", "scaled", "weights", "captured"];

// Sizes of a cell in rem, its type with it; the largest that fits is taken.
const BESIDE = [5, 4.5, 4, 3.75, 3.5, 3.25, 3, 2.75, 2.65, 2.5, 2.35, 2.2];
const STACKED = [3, 2.75, 2.5, 2.25, 2, 1.75];
const WIDE = [4, 3.75, 3.5, 3.25, ...STACKED];

export function makeGround() {
  const element = make("div", { class: "xv-ground" });
  let built = "";

  /**
   * @param {Model} model
   * @param {(id: string) => HTMLElement} plate
   */
  function paint(model, plate) {
    if (built === model.kind && element.contains(plate("q"))) return;
    built = model.kind;
    const part = (/** @type {string} */ name) =>
      plate(name) ?? make("span", { class: "xv-sign", "aria-hidden": true }, name);
    const own = [
      make("div", { class: "xv-half xv-projected" }, ...LEFT.flat().map(part)),
      make("div", { class: "xv-half xv-attended" }, ...RIGHT.flat().map(part)),
    ];
    element.replaceChildren(...(model.kind === "own" ? own : REAL.map(part)));
  }
  return { element, paint };
}

/**
 * Sets the size of the cells: as large as they fit, on one screen where they can, both halves beside each other where
 * that leaves them readable.
 *
 * @param {HTMLElement} root
 * @param {Model} model
 */
export function fitCells(root, model) {
  const ground = /** @type {HTMLElement} */ (root.querySelector(".xv-ground"));
  const shapes = [...ground.querySelectorAll("figcaption")].map((caption) => caption.textContent);
  const begins = Math.max(Number(root.dataset.begins ?? 0), root.getBoundingClientRect().top);
  root.dataset.begins = String(begins);
  const key = [begins, root.clientWidth, window.innerHeight, ...shapes, ...model.queries, ...model.keys].join();
  if (key === ground.dataset.fitted) return;
  ground.dataset.fitted = key;
  root.style.setProperty("--xv-label", labelWidth(model));
  const fits = (/** @type {number} */ cell) => {
    root.style.setProperty("--xv-cell", `${cell}rem`);
    return ground.scrollWidth <= ground.clientWidth;
  };
  const onScreen = (/** @type {number} */ cell) => fits(cell) && begins + root.offsetHeight <= window.innerHeight;
  ground.classList.add("xv-beside");
  if (model.kind === "own" && (BESIDE.some(onScreen) || BESIDE.some(fits))) return;
  ground.classList.remove("xv-beside");
  (model.kind === "own" ? STACKED : WIDE).some(fits);
}

/** @param {Model} model */
function labelWidth(model) {
  const more = model.kind === "real" && model.others ? [otherKeys(model.others)] : [];
  const names = [...model.queries, ...model.keys, ...more];
  const longest = Math.max(...names.map((name) => [...name].length));
  const width = Math.max(1.5, 0.6 + (model.kind === "real" ? 0.46 : 0.54) * longest);
  return model.kind === "real" ? `${Math.min(width, 6)}rem` : `${Math.min(width, 4.5)}em`;
}
