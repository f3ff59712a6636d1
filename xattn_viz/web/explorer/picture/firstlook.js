import { makePanel } from "../core/panel.js";
import { sheetOf } from "../core/scene.js";
import { regionOf, sideSeen, wordsSeen } from "./seen.js";

/**
 * What a picture is looked at with at first: all heads together, and the word that has most of its weight in one place.
 *
 * @typedef {import("../core/state.js").State} State
 * @typedef {import("../core/payload.js").Trace} Trace
 */

/**
 * @param {Trace | null} before
 * @param {Trace} fresh
 * @param {State} state
 * @param {Partial<State>} wanted what the address or the page says
 * @returns {State}
 */
export function firstLook(before, fresh, state, wanted) {
  const view = { ...state };
  if (!before?.picture && wanted.head === undefined) view.head = "mean";
  if (wanted.row !== undefined || wanted.column !== undefined) return view;
  const sheet = sheetOf(fresh, view.map, view.noise);
  const side = sideSeen(sheet);
  if (!side) return view;
  const panel = makePanel(sheet, sheet.views.find(({ name }) => name === view.head) ?? sheet.views[0], view);
  let [best, most] = [0, -1];
  wordsSeen(panel).forEach((word, index) => {
    const peak = (!word.special && regionOf(sheet, panel.view, word)?.largest) || 0;
    if (peak > most) [best, most] = [index, peak];
  });
  return side === "columns" ? { ...view, row: best, column: -1 } : { ...view, row: -1, column: best };
}
