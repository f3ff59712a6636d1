/**
 * Everything that the parts of the explorer paint from, and how they ask for a change.
 *
 * @typedef {import("./payload.js").Trace} Trace
 * @typedef {import("./payload.js").View} View
 * @typedef {import("./matrix.js").Matrix} Matrix
 * @typedef {import("./state.js").State} State
 * @typedef {import("./colours.js").Rgb} Rgb
 *
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {Rgb} ground
 * @property {string} ink
 * @property {Rgb} accent
 * @property {Uint8Array} table 256 colours
 *
 * @typedef {object} Panel one map as it is shown: the chosen one, or the pinned one
 * @property {View} view
 * @property {Matrix | null} matrix
 * @property {number} top where its colour scale ends
 *
 * @typedef {object} Scene
 * @property {Trace} trace
 * @property {State} state
 * @property {Panel} main
 * @property {Panel | null} pinned
 * @property {Theme} theme
 * @property {{row: number, column: number}} focus what is hovered, else what is chosen; -1 for none
 *
 * @typedef {(change: Partial<State>) => void} Change
 */

import { colourTable, inkOn, rgbOf } from "./colours.js";
import { matrix } from "./matrix.js";

// Below this, a token was not the model's clear choice, and a source word was read by nobody.
export const UNSURE = 0.5;
export const UNREAD = 0.1;
// From this share on, a row's weight rests on special tokens.
export const PARKED = 0.5;

/**
 * @param {Trace} trace
 * @param {State} state
 * @param {Theme} theme
 * @returns {Scene}
 */
export function makeScene(trace, state, theme) {
  const named = (/** @type {string} */ name) => trace.views.find((view) => view.name === name);
  const chosen = named(state.head) ?? trace.views[0];
  const pinned = named(state.pinned);
  const main = makePanel(trace, chosen, state);
  const focus = state.hover ?? { row: state.row, column: state.column };
  const inside = (/** @type {number} */ index, /** @type {number} */ count) => (index < count ? index : -1);
  return {
    trace,
    state,
    main,
    pinned: pinned ? makePanel(trace, pinned, state) : null,
    theme,
    focus: {
      row: inside(focus.row, main.matrix?.rows.length ?? 0),
      column: inside(focus.column, main.matrix?.columns.length ?? 0),
    },
  };
}

/** @type {WeakMap<Trace, Map<string, Matrix | null>>} */
const matrices = new WeakMap();

/**
 * @param {Trace} trace
 * @param {View} view
 * @param {State} state
 * @returns {Panel}
 */
function makePanel(trace, view, state) {
  const known = matrices.get(trace) ?? new Map();
  matrices.set(trace, known);
  const key = [view.name, state.units, state.rows, state.special].join(" ");
  let found = known.get(key);
  if (!found) {
    found = matrix(trace, view, state);
    known.set(key, found);
  }
  return { view, matrix: found, top: scaleTop(trace, view, state, found) };
}

/**
 * Where the colour scale ends: at this map's largest weight, or at the largest of all maps.
 *
 * @param {Trace} trace
 * @param {View} view
 * @param {State} state
 * @param {Matrix | null} shown
 */
function scaleTop(trace, view, state, shown) {
  if (state.scale === "head") return Math.max(shown?.largest ?? view.scale, 1e-6);
  const largest = Math.max(...trace.views.map((each) => each.scale));
  return Math.max(largest, shown?.largest ?? 0);
}

/**
 * The page's own colours, read where the explorer stands.
 *
 * @param {HTMLElement} root
 * @param {string} colours
 * @returns {Theme}
 */
export function readTheme(root, colours) {
  const style = getComputedStyle(root);
  const ground = rgbOf(style.backgroundColor);
  const dark = inkOn(ground) === "#fff";
  return {
    dark,
    ground,
    ink: style.color,
    accent: rgbOf(style.getPropertyValue("--xv-tint").trim()),
    table: colourTable(colours, dark),
  };
}
