import { isolated, make } from "../core/dom.js";
import { readingOf } from "../core/matrix.js";
import { decimals } from "../core/numbers.js";
import { viewTitle } from "../core/payload.js";
import { listenedAt } from "./spoken.js";

/**
 * What is selected in a map over sound, said in words.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {(Node | string)[]} Parts
 */

const RESTING = 0.1; // from this share on, weight on padding is worth a word
const NOTHING = 0.02; // what no row puts on a frame

/**
 * "Writing *country*, this head listened to 3.1–3.5 s": the shortest stretch with half of the weight on the sound, and
 * how much that is of all its weight.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
export function listening(scene, panel, m) {
  const { row, column } = panel.focus;
  if (row < 0) return heardBy(panel, m, column);
  const who = panel.view.head === null ? `the ${viewTitle(panel.view)}` : "this head";
  const held = listenedAt(panel, row);
  const resting = m.parked[row];
  if (!held) return [...beginning(scene, panel, m), `${who} listened to nothing.`];
  /** @type {Parts} */
  const parts = [...beginning(scene, panel, m), `${who} listened to `, make("strong", {}, stretch(held.from, held.to))];
  if (column >= 0) {
    parts.push(`; on ${time(panel, column)} it put `, decimals(m.values[row * m.columns.length + column]), ".");
  } else parts.push(` (${decimals(held.weight)}: shortest stretch with half its weight on the sound).`);
  if (resting >= RESTING) parts.push(` ${decimals(resting)} of its weight rests on padding behind the sound.`);
  return parts;
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function beginning({ state }, { sheet, focus }, m) {
  const row = m.rows[focus.row];
  if (sheet.kind === "encoder") return ["Building the representation of ", isolated(row.label), ", "];
  return [readingOf(sheet, state) ? "Having read " : "Writing ", isolated(row.label), ", "];
}

/**
 * @param {Panel} panel
 * @param {Matrix} m
 * @param {number} column
 * @returns {Parts}
 */
function heardBy(panel, m, column) {
  if (column < 0) return ["Hover or choose a word or a moment of the sound to read its weights here."];
  const weights = m.rows.map((_, r) => m.values[r * m.columns.length + column]);
  const most = weights.reduce((best, weight, r) => (weight > weights[best] ? r : best), 0);
  if (weights[most] < NOTHING) {
    return [`At ${time(panel, column)} nobody listened: no row puts ${decimals(NOTHING)} or more on that moment.`];
  }
  const word = isolated(m.rows[most].label);
  return [`To ${time(panel, column)}, `, word, " listened most: ", make("strong", {}, decimals(weights[most])), "."];
}

/**
 * @param {Panel} panel
 * @param {number} column
 */
function time({ sheet }, column) {
  const edges = /** @type {number[]} */ (sheet.keys.edges);
  return stretch(edges[column], edges[column + 1]);
}

/**
 * A stretch to a tenth of a second, or finer where it is short.
 *
 * @param {number} from
 * @param {number} to
 */
export function stretch(from, to) {
  const digits = to - from < 0.2 ? 2 : 1;
  return `${from.toFixed(digits)}–${to.toFixed(digits)} s`;
}
