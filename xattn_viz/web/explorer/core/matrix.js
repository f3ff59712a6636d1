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
 * Two maps row by row and, where their sources differ, column by column: each stands beside its counterpart, or beside
 * an empty one where there is none.
 *
 * @param {Matrix} ours
 * @param {Matrix} theirs
 * @param {import("./payload.js").Pair[]} pairs of rows
 * @param {import("./payload.js").Pair[] | null} across pairs of columns, null where they are the same
 * @returns {[Matrix, Matrix]}
 */
export function aligned(ours, theirs, pairs, across) {
  const down = inOrder(ours.rows, theirs.rows, pairs);
  const columns = across && inOrder(ours.columns, theirs.columns, across);
  const spread = (/** @type {Matrix} */ m, /** @type {0 | 1} */ side) =>
    spreadRows(columns ? spreadColumns(m, columns[side]) : m, down[side]);
  return [spread(ours, 0), spread(theirs, 1)];
}

/**
 * Which row or column stands in each place, -1 for none, and whether the other map has something else there.
 *
 * @typedef {{from: number, differs: boolean}[]} Order
 *
 * @param {Group[]} ours
 * @param {Group[]} theirs
 * @param {import("./payload.js").Pair[]} pairs of their numbers
 * @returns {[Order, Order]}
 */
function inOrder(ours, theirs, pairs) {
  const [left, right] = [ours, theirs].map((all) => new Map(all.map((group, at) => [group.number, at])));
  const placeOf = (/** @type {Map<number, number>} */ of, /** @type {number | null} */ group) =>
    group === null ? -1 : (of.get(group) ?? -1);
  const order = pairs.map(([i, j]) => [placeOf(left, i), placeOf(right, j)]).filter(([i, j]) => i >= 0 || j >= 0);
  const differs = order.map(([i, j]) => ours[i]?.text.trim() !== theirs[j]?.text.trim());
  const of = (/** @type {0 | 1} */ side) => order.map((pair, n) => ({ from: pair[side], differs: differs[n] }));
  return [of(0), of(1)];
}

/** @returns {Group} what stands where there is no counterpart */
const noGroup = () => ({ number: -1, label: "", text: "", positions: [], special: false });

/**
 * @param {Matrix} m
 * @param {Order} order
 * @returns {Matrix}
 */
function spreadRows(m, order) {
  const width = m.columns.length;
  const values = new Float32Array(order.length * width);
  const rows = order.map(({ from, differs }, to) => {
    if (from < 0) return noGroup();
    values.set(m.values.subarray(from * width, (from + 1) * width), to * width);
    return { ...m.rows[from], differs };
  });
  const parked = order.map(({ from }) => m.parked[from] ?? 0);
  return { ...m, values, rows, rowOf: places(rows, m.rowOf.length), parked };
}

/**
 * @param {Matrix} m
 * @param {Order} order
 * @returns {Matrix}
 */
function spreadColumns(m, order) {
  const width = m.columns.length;
  const values = new Float32Array(m.rows.length * order.length);
  for (let r = 0; r < m.rows.length; r++) {
    order.forEach(({ from }, to) => {
      if (from >= 0) values[r * order.length + to] = m.values[r * width + from];
    });
  }
  const columns = order.map(({ from, differs }) => (from < 0 ? noGroup() : { ...m.columns[from], differs }));
  return { ...m, values, columns, columnOf: places(columns, m.columnOf.length) };
}

/**
 * What the second of two aligned maps has more than the first, cell by cell; NaN where one of them has no such cell. A
 * row or column is named for both where they are called otherwise.
 *
 * @param {Matrix} ours
 * @param {Matrix} theirs
 * @returns {Matrix}
 */
export function differenceOf(ours, theirs) {
  const both = (/** @type {Group[]} */ mine, /** @type {Group[]} */ others) =>
    mine.map((one, at) => inBoth(one, others[at]));
  const [rows, columns] = [both(ours.rows, theirs.rows), both(ours.columns, theirs.columns)];
  let largest = 0;
  const values = ours.values.map((value, at) => {
    if (rows[Math.floor(at / columns.length)].alone || columns[at % columns.length].alone) return Number.NaN;
    const apart = theirs.values[at] - value;
    largest = Math.max(largest, Math.abs(apart));
    return apart;
  });
  return { ...ours, values, rows, columns, parked: ours.parked.map(() => 0), largest };
}

/**
 * @param {Group} one
 * @param {Group} other
 * @returns {Group}
 */
function inBoth(one, other) {
  if (!one.positions.length || !other.positions.length) {
    return { ...(one.positions.length ? one : other), alone: true };
  }
  if (one.label === other.label) return one;
  return { ...one, label: `${one.label} → ${other.label}`, text: `${one.text} → ${other.text}` };
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
    edges: sheet.keys.edges,
    sound: null,
    range: null,
    picture: null,
    modules: [],
    of: null,
    matrix: found,
    top: scaleTop(sheet, view, state, found),
    apart: false,
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
 * Two decimals: as fine as the weights are that were sent. A difference below 0 has a minus sign.
 *
 * @param {number} value
 */
export function decimals(value) {
  return value < 0 ? `\u2212${(-value).toFixed(2)}` : value.toFixed(2);
}
