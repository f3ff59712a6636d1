import { isolated, make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";

/**
 * What changed between two maps that are compared, in sentences, each of which chooses its cell (`analysis/compare.py`
 * says the same).
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {object} Changed what changed in one row
 * @property {number} row
 * @property {number} column
 * @property {number} apart the largest difference of the row
 * @property {(Node | string)[]} says
 */

const MOST_CHANGES = 5;
const LEAST_CHANGE = 0.05;

/** @param {import("../core/scene.js").Change} change */
export function makeChanges(change) {
  const list = make("ul", { class: "xv-changes" });
  const element = make("div", { class: "xv-changed", role: "group", "aria-label": "What changed" }, list);
  /** @type {Changed[]} */
  let found = [];
  /** @type {unknown[]} */
  let made = [];
  list.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const chosen = found[Number(button?.dataset.number ?? -1)];
    if (chosen) change({ row: chosen.row, column: chosen.column, hover: null, checked: null, step: -1 });
  });

  /** @param {Scene} scene */
  function paint(scene) {
    const { main, second, compared, comparable, state } = scene;
    element.hidden = !second || !comparable || !(compared || scene.difference);
    if (element.hidden || !second?.matrix || !main.matrix) return;
    const key = [main.matrix, second.matrix, main.name];
    if (key.some((each, at) => each !== made[at])) {
      made = key;
      const reads = wordsOf(main.sheet).share ? "rests on" : main.sheet.keys.edges ? "hears" : "reads";
      found = changesOf(main.matrix, second.matrix, main.name || "the chosen map", reads);
      list.replaceChildren(...found.map((each, number) => make("li", {}, buttonOfChange(each, number))));
      if (!found.length) list.append(make("li", {}, `No weight changed by ${LEAST_CHANGE} or more.`));
    }
    for (const [number, button] of list.querySelectorAll("button").entries()) {
      const { row, column } = found[number];
      button.setAttribute("aria-pressed", String(state.row === row && state.column === column));
    }
  }
  return { element, paint };
}

/**
 * @param {Changed} changed
 * @param {number} number
 */
function buttonOfChange({ says }, number) {
  const button = make("button", { type: "button", class: "xv-button", "data-number": number }, ...says);
  button.dataset.help = "Frame this cell in both maps";
  return button;
}

/**
 * The largest differences first, one a row: of a row whose strongest key is another one its new one, of others the
 * largest difference. Rows without a counterpart are left out.
 *
 * @param {Matrix} ours
 * @param {Matrix} theirs
 * @param {string} name of ours
 * @param {string} reads
 * @returns {Changed[]}
 */
export function changesOf(ours, theirs, name, reads) {
  const width = ours.columns.length;
  /** @type {(row: number) => Changed[]} */
  const ofRow = (row) => {
    if (!ours.rows[row].positions.length || !theirs.rows[row].positions.length) return [];
    const cell = (/** @type {Matrix} */ m, /** @type {number} */ column) =>
      m.columns[column]?.positions.length ? m.values[row * width + column] : Number.NaN;
    let [largest, old, fresh] = [-1, -1, -1];
    const apart = (/** @type {number} */ column) => cell(theirs, column) - cell(ours, column);
    const isMore = (/** @type {number} */ one, /** @type {number} */ most) => one > most || Number.isNaN(most);
    for (let c = 0; c < width; c++) {
      if (isMore(Math.abs(apart(c)), Math.abs(apart(largest)))) largest = c;
      if (isMore(cell(ours, c), cell(ours, old))) old = c;
      if (isMore(cell(theirs, c), cell(theirs, fresh))) fresh = c;
    }
    if (largest < 0 || !(Math.abs(apart(largest)) >= LEAST_CHANGE)) return [];
    const isOther = fresh !== old && cell(theirs, fresh) > 0;
    const column = isOther ? fresh : largest;
    const was = cell(ours, column);
    const more = isOther ? "" : apart(column) > 0 ? " more" : " less";
    const told = Number.isNaN(was) ? `${name} has no such column` : `was ${ofOne(was)}`;
    /** @type {Changed["says"]} */
    const says = [
      ...namedInBoth(ours.rows[row], theirs.rows[row], name),
      isOther ? ` now ${reads} ` : ` ${reads} `,
      ...namedInBoth(ours.columns[column], theirs.columns[column], name),
      `${more}: ${ofOne(cell(theirs, column))}, ${told}.`,
    ];
    return [{ row, column, apart: apart(largest), says }];
  };
  const all = ours.rows.flatMap((_, row) => ofRow(row));
  return all.sort((one, other) => Math.abs(other.apart) - Math.abs(one.apart)).slice(0, MOST_CHANGES);
}

/**
 * A label, with that of the first where it is another: "cão (gato in A)".
 *
 * @param {import("../core/units.js").Group} ours
 * @param {import("../core/units.js").Group} theirs
 * @param {string} name
 * @returns {Changed["says"]}
 */
function namedInBoth(ours, theirs, name) {
  const strong = (/** @type {string} */ label) => make("em", {}, isolated(label));
  if (!theirs.positions.length || !ours.positions.length || ours.label === theirs.label) {
    return [strong(theirs.positions.length ? theirs.label : ours.label)];
  }
  return [strong(theirs.label), " (", strong(ours.label), ` in ${name})`];
}

/**
 * ".61", "1.00".
 *
 * @param {number} value
 */
function ofOne(value) {
  return value.toFixed(2).replace(/^0/u, "");
}
