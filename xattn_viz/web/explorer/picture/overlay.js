import { fitted } from "../core/dom.js";
import { coloured, drawImageOf, sampled, veiled, WORD_COLOURS } from "./region.js";
import { regionOf, wordInFocus, wordsSeen } from "./seen.js";

/**
 * What lies over a picture: the weights of the word in focus, or the regions of several words.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {number} wide
 * @param {number} high
 */
export function paintWeights(canvas, scene, panel, wide, high) {
  const context = fitted(canvas, wide, high);
  const { overlay, several } = scene.state;
  const smooth = overlay === "smooth";
  const words = wordsSeen(panel);
  /** @type {(word: number) => import("./seen.js").Region | null} */
  const region = (word) => regionOf(panel.sheet, panel.view, words[word]);
  if (several) {
    const found = several.flatMap((word, i) => {
      const one = region(word);
      const colour = WORD_COLOURS[i % WORD_COLOURS.length];
      return one ? [{ map: sampled(one, smooth), largest: one.largest, colour }] : [];
    });
    if (found.length) drawImageOf(context, coloured(found), [0, 0, wide, high], smooth);
    return;
  }
  const one = region(wordInFocus(panel));
  if (one) drawImageOf(context, veiled(sampled(one, smooth), panel.top, scene.theme.table), [0, 0, wide, high], smooth);
}
