import { isolated, make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { patchesOf, patchSide, regionOf } from "../picture/patches.js";

/**
 * What changed between two maps that are compared, in sentences, each of which chooses its cell (`analysis/compare.py`
 * says the same).
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {object} Place rows or columns that are told together
 * @property {string} place of a picture, "" where it is none
 * @property {number[]} members
 * @property {number[]} patches
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
      found = changesOf(main, second, main.name || "the chosen map");
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
 * largest difference. Rows without a counterpart are left out. Patches are told by the ninth of the picture that they lie
 * in: of words that read it the sum of their weights there, of words that it is drawn from the share of what is read of
 * them.
 *
 * @param {Panel} main
 * @param {Panel} second
 * @param {string} name of the first
 * @returns {Changed[]}
 */
export function changesOf(main, second, name) {
  const found = patchSide(main.sheet) === "rows" ? overRows(main, second, name) : overColumns(main, second, name);
  const told = found.filter(({ apart }) => Math.abs(apart) >= LEAST_CHANGE);
  return told.sort((one, other) => Math.abs(other.apart) - Math.abs(one.apart)).slice(0, MOST_CHANGES);
}

/**
 * What changed in each row; patches that lie in one place are one column.
 *
 * @param {Panel} main
 * @param {Panel} second
 * @param {string} name
 * @returns {Changed[]}
 */
function overColumns(main, second, name) {
  const [ours, theirs] = /** @type {[Matrix, Matrix]} */ ([main.matrix, second.matrix]);
  const reads = wordsOf(main.sheet).share ? "rests on" : main.sheet.keys.edges ? "hears" : "reads";
  const width = ours.columns.length;
  const cell = (/** @type {Matrix} */ m, /** @type {number} */ row, /** @type {number} */ column) =>
    m.columns[column].positions.length ? m.values[row * width + column] : Number.NaN;
  const together = inPlaces(main.sheet.keys, ours.columns, theirs.columns);
  const saying = (/** @type {Place} */ { place, members }) =>
    place ? [emphasised(place)] : namedInBoth(ours.columns[members[0]], theirs.columns[members[0]], name);
  return ours.rows.flatMap((mine, row) => {
    if (!mine.positions.length || !theirs.rows[row].positions.length) return [];
    const [before, after] = [main, second].map((panel) => {
      const m = /** @type {Matrix} */ (panel.matrix);
      const region = main.sheet.keys.grid && regionOf(panel.sheet, panel.view, m.rows[row]); // finer than the cells
      return together.map(({ members, patches }) =>
        region && patches.length
          ? patches.reduce((sum, patch) => sum + region.weights[patch], 0)
          : members.reduce((sum, column) => sum + cell(m, row, column), 0),
      );
    });
    const told = changeOf(before, after);
    if (!told) return [];
    const { key, isOther, apart, more } = told;
    const column = farthest(together[key].members, (each) => cell(theirs, row, each) - cell(ours, row, each));
    const verb = isOther ? ` now ${reads} ` : ` ${reads} `;
    const query = namedInBoth(mine, theirs.rows[row], name);
    const says = [...query, verb, ...saying(together[key]), `${more}: ${numbersOf(before[key], after[key], name)}`];
    return [{ row, column, apart, says }];
  });
}

/**
 * What changed in where each column is read, of rows that are patches.
 *
 * @param {Panel} main
 * @param {Panel} second
 * @param {string} name
 * @returns {Changed[]}
 */
function overRows(main, second, name) {
  const [ours, theirs] = /** @type {[Matrix, Matrix]} */ ([main.matrix, second.matrix]);
  const together = inPlaces(main.sheet.queries, ours.rows, theirs.rows);
  return ours.columns.flatMap((mine, column) => {
    if (!mine.positions.length || !theirs.columns[column].positions.length) return [];
    const shares = [main, second].map((panel) => {
      const word = /** @type {Matrix} */ (panel.matrix).columns[column];
      const read = [...(regionOf(panel.sheet, panel.view, word)?.weights ?? [])];
      const all = read.reduce((sum, weight) => sum + weight, 0);
      return read.map((weight) => weight / all);
    });
    const [before, after] = shares.map((read) =>
      together.map(({ patches }) => patches.reduce((sum, patch) => sum + read[patch], 0)),
    );
    const told = changeOf(before, after);
    if (!told) return [];
    const { key, isOther, apart, more } = told;
    const { members, patches } = together[key];
    const row = farthest(members, (each) => {
      const patch = patches[members.indexOf(each)];
      return shares[1][patch] - shares[0][patch];
    });
    const verb = isOther ? " is now read most in " : ` is read${more} in `;
    const query = namedInBoth(mine, theirs.columns[column], name);
    const place = emphasised(together[key].place || ours.rows[row].label);
    return [{ row, column, apart, says: [...query, verb, place, `: ${numbersOf(before[key], after[key], name)}`] }];
  });
}

/**
 * Of one row: the key that is told, whether it is a new strongest one, and the largest difference.
 *
 * @param {number[]} before NaN where there is no such key
 * @param {number[]} after
 */
function changeOf(before, after) {
  let [largest, old, fresh] = [-1, -1, -1];
  const apart = (/** @type {number} */ key) => (after[key] ?? Number.NaN) - (before[key] ?? Number.NaN);
  const isMore = (/** @type {number} */ one, /** @type {number} */ most) => one > most || Number.isNaN(most);
  for (let key = 0; key < before.length; key++) {
    if (isMore(Math.abs(apart(key)), Math.abs(apart(largest)))) largest = key;
    if (isMore(before[key], before[old] ?? Number.NaN)) old = key;
    if (isMore(after[key], after[fresh] ?? Number.NaN)) fresh = key;
  }
  if (largest < 0 || Number.isNaN(apart(largest))) return null;
  const isOther = fresh !== old && after[fresh] > 0;
  const key = isOther ? fresh : largest;
  return { key, isOther, apart: apart(largest), more: isOther ? "" : apart(key) > 0 ? " more" : " less" };
}

/**
 * ".61, was .04."
 *
 * @param {number} was
 * @param {number} now
 * @param {string} name of the first
 */
function numbersOf(was, now, name) {
  return `${ofOne(now)}, ${Number.isNaN(was) ? `${name} has no such column` : `was ${ofOne(was)}`}.`;
}

/**
 * Which of some differs most, the first of equals.
 *
 * @param {number[]} members
 * @param {(member: number) => number} apart
 */
function farthest(members, apart) {
  const far = (/** @type {number} */ member) => Math.abs(apart(member)) || 0;
  return members.reduce((best, member) => (far(member) > far(best) ? member : best));
}

/**
 * Rows or columns: patches of both that lie in the same ninth of the picture together, others alone.
 *
 * @param {import("../core/payload.js").Axis} axis
 * @param {import("../core/units.js").Group[]} ours
 * @param {import("../core/units.js").Group[]} theirs
 * @returns {Place[]}
 */
function inPlaces(axis, ours, theirs) {
  const [rows, columns] = axis.grid ?? [1, 1];
  const patches = axis.grid ? new Map(patchesOf(axis).map((position, patch) => [position, patch])) : new Map();
  const ninth = (/** @type {number} */ at, /** @type {number} */ count) => Math.floor((3 * (2 * at + 1)) / (2 * count));
  /** @type {Map<string | number, Place>} */
  const found = new Map();
  ours.forEach((group, at) => {
    const patch = theirs[at].positions.length ? patches.get(group.positions[0]) : undefined;
    const place =
      patch === undefined ? "" : placeName(ninth(Math.floor(patch / columns), rows), ninth(patch % columns, columns));
    const before = found.get(place || at);
    const one = before ?? { place, members: [], patches: [] };
    one.members.push(at);
    if (patch !== undefined) one.patches.push(patch);
    found.set(place || at, one);
  });
  return [...found.values()];
}

/**
 * @param {number} row of three
 * @param {number} column of three
 */
function placeName(row, column) {
  if (row === 1 && column === 1) return "the middle";
  return `the ${["upper", "middle", "lower"][row]} ${["left", "middle", "right"][column]}`;
}

/** @param {string} label */
function emphasised(label) {
  return make("em", {}, isolated(label));
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
  if (!theirs.positions.length || !ours.positions.length || ours.label === theirs.label) {
    return [emphasised(theirs.positions.length ? theirs.label : ours.label)];
  }
  return [emphasised(theirs.label), " (", emphasised(ours.label), ` in ${name})`];
}

/**
 * ".61", "1.00".
 *
 * @param {number} value
 */
function ofOne(value) {
  return value.toFixed(2).replace(/^0/u, "");
}
