import { makeLeaving } from "./dom.js";

/**
 * What the script tells Python: what is selected, once the visitor rests, and which layer it was not sent yet.
 *
 * @typedef {import("../explorer.js").Tell} Tell
 */

const TELL_AFTER = 200; // milliseconds: arrow keys run through many heads, address and Python hear of the last

export function makeMessenger() {
  let tell = /** @type {Tell} */ (() => {});
  let lastSent = "";
  /** @type {number | undefined} */
  let timer;
  let lastWanted = "";
  const isLeaving = makeLeaving();

  /** @param {() => object | null} selected what to tell once the visitor rests */
  function later(selected) {
    window.clearTimeout(timer);
    timer = window.setTimeout(() => {
      if (isLeaving()) return later(selected);
      const chosen = selected();
      if (!chosen || JSON.stringify(chosen) === lastSent) return;
      lastSent = JSON.stringify(chosen);
      tell("selected", chosen);
    }, TELL_AFTER);
  }

  return {
    /** @param {Tell} receiver */
    to(receiver) {
      tell = receiver;
    },
    /**
     * Another trace came: Python hears what is shown of it, where that is not what it expects.
     *
     * @param {object} expected
     * @param {object} chosen
     */
    newTrace(expected, chosen) {
      window.clearTimeout(timer);
      lastWanted = "";
      lastSent = JSON.stringify(chosen);
      if (lastSent !== JSON.stringify(expected)) tell("selected", chosen);
    },
    later,
    /**
     * Asks for the layer of a map that was not sent yet, once.
     *
     * @param {import("./scene.js").Panel | null | undefined} missing
     */
    ask(missing) {
      if (!missing) {
        lastWanted = "";
        return;
      }
      const { sheet, view } = missing;
      const wanted = { kind: sheet.kind, layer: view.layer ?? sheet.layers[sheet.layers.length - 1] };
      if (JSON.stringify(wanted) !== lastWanted) tell("layer", wanted);
      lastWanted = JSON.stringify(wanted);
    },
    stop: () => window.clearTimeout(timer),
  };
}
