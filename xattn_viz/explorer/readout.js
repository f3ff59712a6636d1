import { isolated, make } from "./dom.js";
import { probability } from "./matrix.js";
import { viewTitle } from "./payload.js";
import { PARKED, UNREAD, UNSURE } from "./scene.js";

/**
 * What is selected, said in words.
 *
 * @typedef {import("./scene.js").Scene} Scene
 */

export function makeReadout() {
  const element = make("p", { class: "xv-readout", "aria-live": "polite", "aria-atomic": "true" });
  /** @param {Scene} scene */
  const paint = (scene) => element.replaceChildren(...sentence(scene));
  return { element, paint };
}

/**
 * @param {Scene} scene
 * @returns {(Node | string)[]}
 */
function sentence(scene) {
  const { main, focus, state, trace } = scene;
  const m = main.matrix;
  if (!m) return ["This layer is on its way."];
  const said = main.view.head === null ? `the ${viewTitle(main.view)} is` : "this head put";
  if (focus.row >= 0) {
    const row = m.rows[focus.row];
    const start = state.rows === "input" && trace.read ? "Having read " : "Predicting ";
    const weights = [...m.values.subarray(focus.row * m.columns.length, (focus.row + 1) * m.columns.length)];
    const order = weights.map((_, c) => c).sort((a, b) => weights[b] - weights[a]);
    const first = focus.column >= 0 ? focus.column : order[0];
    const parts = [
      start,
      isolated(row.label),
      `, ${said} `,
      strong(weights[first]),
      " on ",
      isolated(m.columns[first].label),
    ];
    const second = order.find((c) => c !== first);
    if (focus.column < 0 && second !== undefined && weights[second] >= 0.05) {
      parts.push(", ", decimals(weights[second]), " on ", isolated(m.columns[second].label));
    }
    parts.push(".");
    if (m.parked[focus.row] >= PARKED) {
      parts.push(
        ` ${decimals(m.parked[focus.row])} merely rests on special tokens: it says little about the sentence.`,
      );
    }
    const p = probability(trace, row, state);
    if (p < UNSURE)
      parts.push(` The model was unsure of this ${state.units === "words" ? "word" : "token"}: p = ${decimals(p)}.`);
    return parts;
  }
  if (focus.column < 0) return ["Hover or choose a token to read its weights here."];
  const weights = m.rows.map((_, r) => m.values[r * m.columns.length + focus.column]);
  const most = weights.indexOf(Math.max(...weights));
  const source = isolated(m.columns[focus.column].label);
  if (weights[most] < UNREAD) return ["Nobody read ", source, ` here: no row puts ${decimals(UNREAD)} or more on it.`];
  const when = state.rows === "input" && trace.read ? "after reading " : "when predicting ";
  return [source, " was read most ", when, isolated(m.rows[most].label), ": ", strong(weights[most]), "."];
}

/** @param {number} value */
function strong(value) {
  return make("strong", {}, decimals(value));
}

/** @param {number} value */
export function decimals(value) {
  return value.toFixed(2);
}
