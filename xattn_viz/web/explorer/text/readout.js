import { isolated, make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { probability } from "../core/matrix.js";
import { decimals } from "../core/numbers.js";
import { viewTitle } from "../core/payload.js";
import { PARKED, UNREAD, UNSURE } from "../core/scene.js";
import { listening } from "../sound/listening.js";
import { isHeard } from "../sound/spoken.js";

/**
 * What is selected, said in words.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/units.js").Group} Group
 * @typedef {(Node | string)[]} Parts
 */

export function makeReadout() {
  const element = make("p", { class: "xv-readout", "aria-live": "polite", "aria-atomic": "true" });
  /** @param {Scene} scene */
  const paint = (scene) => {
    // A text that grows many times a second would drown everything else that is read aloud.
    element.setAttribute("aria-live", scene.trace.growing ? "off" : "polite");
    element.replaceChildren(...sentences(scene));
  };
  return { element, paint };
}

/** @param {Scene} scene */
function sentences(scene) {
  const { main, second, state, compared } = scene;
  if (!second) return sentence(scene, main);
  if (compared) return [`${main.name}: `, ...sentence(scene, main), ` ${second.name}: `, ...sentence(scene, second)];
  // The pointer may be in the map beside, which may be of another kind.
  const there = state.hover?.kind === second.sheet.kind && state.hover.kind !== main.sheet.kind;
  return sentence(scene, there ? second : main);
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @returns {Parts}
 */
function sentence(scene, panel) {
  const m = panel.matrix;
  if (!m) return ["This layer is on its way."];
  const { row, column } = panel.focus;
  if (row >= 0 && !m.rows[row].positions.length) return ["nothing stands for it here."];
  if (isHeard(panel)) return [...listening(scene, panel, m), ...(row < 0 ? [] : unsure(scene, panel, m))];
  if (row >= 0) return [...rowSentence(scene, panel, m), ...remarks(scene, panel, m)];
  if (column < 0) return ["Hover or choose a token to read its weights here."];
  return columnSentence(scene, panel, m);
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {import("../core/matrix.js").Matrix} m
 * @returns {Parts}
 */
function rowSentence({ state, trace }, panel, m) {
  const { sheet, view, focus } = panel;
  const words = wordsOf(sheet);
  const row = m.rows[focus.row];
  const newest = trace.growing && focus.row === m.rows.length - 1;
  const read = state.rows === "input" && sheet.read;
  const start = newest
    ? "Writing "
    : read && sheet.kind !== "encoder"
      ? "Having read "
      : capital(`${words.predicting} `);
  const average = row.positions.length > 1 && state.units === "sentences" ? "on average " : "";
  const put = view.head === null ? `the ${viewTitle(view)} is ` : `this head ${words.put} `;
  const weights = m.values.subarray(focus.row * m.columns.length, (focus.row + 1) * m.columns.length);
  const [first, second] = focus.column >= 0 ? [focus.column] : largestTwo(weights);
  // Neither the start token nor the token just read is something written earlier.
  const plain = view.head === null || (sheet.kind === "decoder" && (read || m.columns[first].special));
  const on = plain ? " on " : ` ${words.on} `;
  /** @type {Parts} */
  const parts = [start, isolated(row.label), ", ", put, average, strong(weights[first]), on];
  parts.push(isolated(m.columns[first].label));
  if (second !== undefined && weights[second] >= 0.05) {
    parts.push(", ", decimals(weights[second]), on === " of " ? on : " on ", isolated(m.columns[second].label));
  }
  const [most] = largestTwo(weights);
  // A latent stays chosen while the pointer runs over the places that read latents.
  if (sheet.queries.grid && sheet.keys.kind === "latent" && most !== first) {
    parts.push("; most, ", decimals(weights[most]), ", on ", isolated(m.columns[most].label));
  }
  parts.push(newest ? " …" : ".");
  return parts;
}

/**
 * What to know about a row besides.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {import("../core/matrix.js").Matrix} m
 * @returns {Parts}
 */
function remarks({ state, trace }, { sheet, focus }, m) {
  if (trace.growing) return [];
  const parts = [];
  if (m.parked[focus.row] >= PARKED) {
    const read = sheet.keys.grid ? "picture" : sheet.queries.grid ? "prompt" : "sentence";
    parts.push(` ${decimals(m.parked[focus.row])} merely rests on special tokens: it says little about the ${read}.`);
  }
  return [...parts, ...unsure({ state, trace }, { sheet, focus }, m)];
}

/**
 * @param {Pick<Scene, "state" | "trace">} scene
 * @param {Pick<Panel, "sheet" | "focus">} panel
 * @param {import("../core/matrix.js").Matrix} m
 * @returns {string[]}
 */
function unsure({ state, trace }, { sheet, focus }, m) {
  const p = probability(sheet, m.rows[focus.row], state);
  if (trace.growing || p >= UNSURE) return [];
  return [` The model was unsure of this ${state.units === "words" ? "word" : "token"}: p = ${decimals(p)}.`];
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {import("../core/matrix.js").Matrix} m
 * @returns {Parts}
 */
function columnSentence({ state }, { sheet, focus }, m) {
  const weights = m.rows.map((_, r) => m.values[r * m.columns.length + focus.column]);
  const [most] = largestTwo(weights);
  const source = isolated(m.columns[focus.column].label);
  if (weights[most] < UNREAD)
    return [
      "Nobody read ",
      source,
      ` here: no ${sheet.queries.grid ? "patch" : "row"} puts ${decimals(UNREAD)} or more on it.`,
    ];
  const words = wordsOf(sheet);
  const when = state.rows === "input" && sheet.read ? words.reading : `when ${words.predicting}`;
  return [source, ` was read most ${when} `, isolated(m.rows[most].label), ": ", strong(weights[most]), "."];
}

/**
 * Where the two largest numbers are, the first ones of equals.
 *
 * @param {ArrayLike<number>} numbers
 */
function largestTwo(numbers) {
  let [first, second] = [0, -1];
  for (let i = 1; i < numbers.length; i++) {
    if (numbers[i] > numbers[first]) [first, second] = [i, first];
    else if (second < 0 || numbers[i] > numbers[second]) second = i;
  }
  return second < 0 ? [first] : [first, second];
}

/** @param {string} text */
function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** @param {number} value */
function strong(value) {
  return make("strong", {}, decimals(value));
}
