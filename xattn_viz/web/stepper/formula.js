import { make } from "../explorer/core/dom.js";

/**
 * The formula of layer.py, with the part that is looked at lit up.
 *
 * @typedef {import("./model.js").Model} Model
 */

export function makeFormula() {
  const element = make("p", { class: "xv-formula" });
  let built = "";

  /**
   * @param {Model} model
   * @param {string} lit the matrix that is looked at
   */
  function paint(model, lit) {
    const parts = model.kind === "own" ? ownFormula(model) : realFormula(model);
    const text = parts.map((part) => part.outerHTML).join();
    if (text !== built) element.replaceChildren(...parts);
    built = text;
    const all = /** @type {NodeListOf<HTMLElement>} */ (element.querySelectorAll("[data-part]"));
    for (const part of all) part.classList.toggle("xv-lit", part.dataset.part === lit);
  }
  return { element, paint };
}

/** @param {import("./model.js").Own} model */
function ownFormula({ switches }) {
  const several = switches.n_heads > 1;
  const root = make("span", { class: switches.scaled ? "" : "xv-off" }, " ÷ √d", make("sub", {}, "k"));
  const hides = switches.causal || switches.padding.includes(true);
  const scaled = span("scaled", span("scores", "Q Kᵀ"), root);
  const masked = hides ? span("masked", "mask(", scaled, ")") : span("masked", scaled);
  return [
    span("q", "Q = ", span("x", "x"), " ", weight("Q")),
    span("k", "K = ", span("context", "context"), " ", weight("K")),
    span("v", "V = ", span("context", "context"), " ", weight("V")),
    span("heads", several ? "heads = " : "head = ", span("weights", "softmax(", masked, ")"), " V"),
    span("output", several ? "output = joined heads " : "output = head ", weight("O")),
  ];
}

/** @param {import("./model.js").Real} model */
function realFormula({ scale, q, bias }) {
  const rooted = Math.abs(scale * Math.sqrt(q[0].length) - 1) < 1e-6;
  const root = rooted ? [" ÷ √d", make("sub", {}, "k")] : [` · ${scale}`];
  const scaled = span("scaled", span("scores", "Q Kᵀ"), ...root, bias ? " + bias" : "");
  return [span("weights", "weights = softmax(", scaled, ")")];
}

/** @param {string} letter */
function weight(letter) {
  return span(`w_${letter.toLowerCase()}`, "W", make("sub", {}, letter));
}

/**
 * @param {string} part
 * @param {...(Node | string)} children
 */
function span(part, ...children) {
  return make("span", { "data-part": part }, ...children);
}
