import { makeLeaving } from "./leaving.js";

/**
 * What the script tells Python: what is selected, once the visitor rests, and which layer it was not sent yet.
 *
 * @typedef {import("../explorer.js").Tell} Tell
 */

const TELL_AFTER = 200; // milliseconds: arrow keys run through many heads, address and Python hear of the last

export function makeTelling() {
  let tell = /** @type {Tell} */ (() => {});
  let told = "";
  /** @type {number | undefined} */
  let telling;
  let asked = "";
  const isLeaving = makeLeaving();

  /** @param {() => object | null} selected what to tell once the visitor rests */
  function later(selected) {
    window.clearTimeout(telling);
    telling = window.setTimeout(() => {
      if (isLeaving()) return later(selected);
      const chosen = selected();
      if (!chosen || JSON.stringify(chosen) === told) return;
      told = JSON.stringify(chosen);
      tell("selected", chosen);
    }, TELL_AFTER);
  }

  return {
    /** @param {Tell} heard */
    to(heard) {
      tell = heard;
    },
    /**
     * Another trace came: Python hears what is shown of it, where that is not what it expects.
     *
     * @param {object} expected
     * @param {object} chosen
     */
    afresh(expected, chosen) {
      window.clearTimeout(telling);
      asked = "";
      told = JSON.stringify(chosen);
      if (told !== JSON.stringify(expected)) tell("selected", chosen);
    },
    later,
    /**
     * Asks for the layer of a map that was not sent yet, once.
     *
     * @param {import("./scene.js").Panel | null | undefined} missing
     */
    ask(missing) {
      if (!missing) {
        asked = "";
        return;
      }
      const { sheet, view } = missing;
      const wanted = { kind: sheet.kind, layer: view.layer ?? sheet.layers[sheet.layers.length - 1] };
      if (JSON.stringify(wanted) !== asked) tell("layer", wanted);
      asked = JSON.stringify(wanted);
    },
    stop: () => window.clearTimeout(telling),
  };
}
