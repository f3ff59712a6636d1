import { groups, places, rowAxis } from "./units.js";

/**
 * The matrix that is shown: one view of a sheet between pieces, words or sentences, with or without special tokens, its
 * rows named for the token predicted or the token read.
 *
 * @typedef {import("./payload.js").Sheet} Sheet
 * @typedef {import("./payload.js").View} View
 * @typedef {import("./scene.js").Panel} Panel
 * @typedef {import("./state.js").State} State
 * @typedef {import("./units.js").Group} Group
 *
 * @typedef {object} Choice
 * @property {string} units "pieces", "words" or "sentences"
 * @property {string} rows "predicted" or "input"
 * @property {boolean} special whether special tokens are shown
 *
 * @typedef {object} Matrix
 * @property {Float32Array} values [row, column]
 * @property {Group[]} rows
 * @property {Group[]} columns
 * @property {number[]} rowOf the row of each query position, -1 where it is hidden
 * @property {number[]} columnOf the column of each key position, -1 where it is hidden
 * @property {number[]} parked the share of each row's weight that rests on special tokens, or on padding of a sound
 * @property {number} largest
 * @property {string} units
 */

// Below this, a token was not the model's clear choice.
export const UNSURE = 0.5;
// Below this in every row, no token attends to a source word.
export const UNATTENDED = 0.1;
// From this share on, a row's weight rests on special tokens.
export const PARKED = 0.5;

/**
 * Weights into the pieces of a word are summed, those from the pieces of a word averaged: rows still sum to 1.
 *
 * @param {Sheet} sheet
 * @param {View} view
 * @param {Choice} choice
 * @returns {Matrix | null} null where the view was not sent in full
 */
export function matrix(sheet, view, choice) {
  const axis = rowAxis(sheet, choice);
  const allRows = groups(axis, choice.units);
  const allColumns = groups(sheet.keys, choice.units);
  const cellOf = betweenGroups(sheet, view, choice, allRows.length, allColumns.length);
  if (!cellOf) return null;
  const shown = (/** @type {Group} */ group) => choice.special || !group.special;
  const rows = allRows.filter(shown);
  const columns = allColumns.filter(shown);
  const values = new Float32Array(rows.length * columns.length);
  let at = 0;
  let largest = 0;
  for (const row of rows) {
    for (const column of columns) {
      const value = cellOf(row, column);
      values[at++] = value;
      if (value > largest) largest = value;
    }
  }
  const special = allColumns.filter((column) => column.special);
  const padding = sheet.padding(view);
  const parked = rows.map((row) =>
    padding
      ? row.positions.reduce((sum, position) => sum + padding[position], 0) / (255 * row.positions.length)
      : special.reduce((sum, column) => sum + cellOf(row, column), 0),
  );
  const rowOf = places(rows, axis.labels.length);
  const columnOf = places(columns, sheet.keys.labels.length);
  return { values, rows, columns, rowOf, columnOf, parked, largest, units: choice.units };
}

/**
 * What gives the weight between two groups: sums made here, or between sentences those that came along.
 *
 * @param {Sheet} sheet
 * @param {View} view
 * @param {Choice} choice
 * @param {number} rows
 * @param {number} columns
 * @returns {((row: Group, column: Group) => number) | null}
 */
function betweenGroups(sheet, view, choice, rows, columns) {
  const summed = choice.units === "sentences" ? view.sentences?.[readingOf(sheet, choice)] : null;
  if (summed) {
    const sums = /** @type {Uint8Array} */ (sheet.sums(view, readingOf(sheet, choice), rows * columns));
    const unit = summed[1] / 255;
    return (row, column) => sums[row.number * columns + column.number] * unit;
  }
  const weights = sheet.weights(view);
  if (!weights) return null;
  const width = sheet.keys.labels.length;
  const unit = view.scale / 255;
  return (row, column) => {
    if (row.positions.length === 1 && column.positions.length === 1) {
      return weights[row.positions[0] * width + column.positions[0]] * unit;
    }
    let sum = 0;
    for (const i of row.positions) for (const j of column.positions) sum += weights[i * width + j];
    return (sum * unit) / row.positions.length;
  };
}

/**
 * Which of a view's maps between sentences fits the rows: 0 predicted, 1 read.
 *
 * @param {Sheet} sheet
 * @param {{rows: string}} choice
 */
export function readingOf(sheet, choice) {
  return choice.rows === "input" && sheet.read ? 1 : 0;
}

/**
 * The probability of each row's token, or the product over a word's pieces; 1 where nothing was chosen. A sentence as a
 * whole is always improbable, which says nothing: 1.
 *
 * @param {Sheet} sheet
 * @param {Group} row
 * @param {{rows: string, units: string}} choice
 */
export function probability(sheet, row, choice) {
  if (choice.units === "sentences") return 1;
  // Read by input token, row t shows the token chosen one step earlier; the start token was not chosen.
  const shift = readingOf(sheet, choice);
  return row.positions.reduce((p, position) => {
    const step = sheet.steps[position - shift];
    return step && !step.forced ? p * step.p : p;
  }, 1);
}

/**
 * The column maxima: how much of any row's weight each source token gets at most.
 *
 * @param {Matrix} m
 */
export function columnMaxima(m) {
  const maxima = new Float32Array(m.columns.length);
  const width = m.columns.length;
  for (let i = 0; i < m.values.length; i++) if (m.values[i] > maxima[i % width]) maxima[i % width] = m.values[i];
  return maxima;
}

/**
 * Two outputs' maps row by row: each row stands beside its counterpart, or beside an empty row where there is none.
 *
 * @param {Matrix} ours
 * @param {Matrix} theirs
 * @param {import("./payload.js").Pair[]} pairs
 * @returns {[Matrix, Matrix]}
 */
export function aligned(ours, theirs, pairs) {
  const [left, right] = [ours, theirs].map((m) => new Map(m.rows.map((row, r) => [row.number, r])));
  const rowOf = (/** @type {Map<number, number>} */ of, /** @type {number | null} */ group) =>
    group === null ? -1 : (of.get(group) ?? -1);
  const rows = pairs.map(([i, j]) => [rowOf(left, i), rowOf(right, j)]).filter(([i, j]) => i >= 0 || j >= 0);
  const differs = rows.map(([i, j]) => ours.rows[i]?.text !== theirs.rows[j]?.text);
  const spread = (/** @type {Matrix} */ m, /** @type {number[]} */ order) => spreadRows(m, order, differs);
  return [
    spread(
      ours,
      rows.map(([i]) => i),
    ),
    spread(
      theirs,
      rows.map(([, j]) => j),
    ),
  ];
}

/**
 * @param {Matrix} m
 * @param {number[]} order which row stands in each place, -1 for none
 * @param {boolean[]} differs
 * @returns {Matrix}
 */
function spreadRows(m, order, differs) {
  const width = m.columns.length;
  const values = new Float32Array(order.length * width);
  const rows = order.map((from, to) => {
    if (from < 0) return { number: -1, label: "", text: "", positions: [], special: false };
    values.set(m.values.subarray(from * width, (from + 1) * width), to * width);
    return { ...m.rows[from], differs: differs[to] };
  });
  const parked = order.map((from) => m.parked[from] ?? 0);
  return { ...m, values, rows, rowOf: places(rows, m.rowOf.length), parked };
}

/**
 * One map as it is shown, before anything on it is in focus.
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
  const cached = matrices.get(sheet) ?? new Map();
  matrices.set(sheet, cached);
  const key = [view.name, state.units, state.rows, state.special].join(" ");
  let found = cached.get(key);
  if (!found) {
    found = matrix(sheet, view, state);
    cached.set(key, found);
  }
  return {
    name: "",
    sheet,
    view,
    matrix: found,
    top: scaleTop(sheet, view, state, found),
    focus: { row: -1, column: -1 },
    linked: [],
    written: found?.rows.length ?? 0,
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

/**
 * Two decimals: as fine as the weights are that were sent.
 *
 * @param {number} value
 */
export function decimals(value) {
  return value.toFixed(2);
}
