import { matrix, readingOf } from "./matrix.js";

/**
 * One map as it is shown, before anything on it is in focus.
 *
 * @typedef {import("./payload.js").Sheet} Sheet
 * @typedef {import("./payload.js").View} View
 * @typedef {import("./matrix.js").Matrix} Matrix
 * @typedef {import("./scene.js").Panel} Panel
 * @typedef {import("./state.js").State} State
 */

/** @type {WeakMap<Sheet, Map<string, Matrix | null>>} */
const matrices = new WeakMap();

/**
 * @param {Sheet} sheet
 * @param {View} view
 * @param {State} state
 * @returns {Panel}
 */
export function makePanel(sheet, view, state) {
  const known = matrices.get(sheet) ?? new Map();
  matrices.set(sheet, known);
  const key = [view.name, state.units, state.rows, state.special].join(" ");
  let found = known.get(key);
  if (!found) {
    found = matrix(sheet, view, state);
    known.set(key, found);
  }
  return {
    name: "",
    sheet,
    view,
    matrix: found,
    top: scaleTop(sheet, view, state, found),
    focus: { row: -1, column: -1 },
  };
}

/**
 * Where the colour scale ends: at this map's largest weight, or at the largest of all maps.
 *
 * @param {Sheet} sheet
 * @param {View} view
 * @param {State} state
 * @param {Matrix | null} shown
 */
function scaleTop(sheet, view, state, shown) {
  if (state.scale !== "common") return Math.max(shown?.largest ?? view.scale, 1e-6);
  const reading = readingOf(sheet, state);
  const largest = sheet.views.map(
    (each) => (state.units === "sentences" && each.sentences?.[reading][1]) || each.scale,
  );
  return Math.max(...largest, shown?.largest ?? 0);
}
