import { make } from "../explorer/core/dom.js";

/**
 * Which head is shown, where there are several.
 *
 * @param {(head: number) => void} chosen
 */
export function makeHeadSwitch(chosen) {
  const element = make("div", { class: "xv-switch", role: "group", "aria-label": "Head" });

  /** @param {import("./model.js").Model} model */
  function paint(model) {
    const count = model.kind === "own" ? model.switches.n_heads : 1;
    element.hidden = count < 2;
    if (element.childElementCount !== count) element.replaceChildren(...Array.from({ length: count }, makeFace));
    if (model.kind !== "own") return;
    for (const [i, face] of [...element.children].entries())
      face.setAttribute("aria-pressed", String(i === model.head));
  }

  /**
   * @param {unknown} _
   * @param {number} i
   */
  function makeFace(_, i) {
    const face = make("button", { type: "button", class: "xv-button" }, `Head ${i + 1}`);
    face.addEventListener("click", () => chosen(i));
    return face;
  }
  return { element, paint };
}
