/**
 * The matrix that is shown: one view of a trace between pieces or words, with or without special tokens, its rows
 * named for the token predicted or the token read.
 *
 * @typedef {import("./payload.js").Trace} Trace
 * @typedef {import("./payload.js").Axis} Axis
 * @typedef {import("./payload.js").View} View
 *
 * @typedef {object} Choice
 * @property {string} units "pieces" or "words"
 * @property {string} rows "predicted" or "input"
 * @property {boolean} special whether special tokens are shown
 *
 * @typedef {object} Group what one row or column stands for
 * @property {string} label
 * @property {number[]} positions
 * @property {boolean} special
 *
 * @typedef {object} Matrix
 * @property {Float32Array} values [row, column]
 * @property {Group[]} rows
 * @property {Group[]} columns
 * @property {number[]} rowOf the row of each query position, -1 where it is hidden
 * @property {number[]} columnOf the column of each key position, -1 where it is hidden
 * @property {number[]} parked the share of each row's weight that rests on special tokens
 * @property {number} largest
 */

/**
 * The axis that names the rows.
 *
 * @param {Trace} trace
 * @param {{rows: string}} choice
 */
export function rowAxis(trace, choice) {
  return choice.rows === "input" && trace.read ? trace.read : trace.queries;
}

/**
 * @param {Axis} axis
 * @param {Choice} choice
 * @returns {Group[]}
 */
export function groups(axis, choice) {
  /** @type {Group[]} */
  const found = [];
  const words = choice.units === "words" ? axis.words : null;
  for (let position = 0; position < axis.labels.length; position++) {
    const last = found.at(-1);
    if (last && words && words[position] === words[position - 1]) {
      last.label += axis.labels[position];
      last.positions.push(position);
      last.special &&= axis.special[position];
    } else {
      found.push({ label: axis.labels[position], positions: [position], special: axis.special[position] });
    }
  }
  return found;
}

/**
 * Weights into the pieces of a word are summed, those from the pieces of a word averaged: rows still sum to 1.
 *
 * @param {Trace} trace
 * @param {View} view
 * @param {Choice} choice
 * @returns {Matrix | null} null where the view was not sent in full
 */
export function matrix(trace, view, choice) {
  const weights = trace.weights(view);
  if (!weights) return null;
  const axis = rowAxis(trace, choice);
  const shown = (/** @type {Group} */ group) => choice.special || !group.special;
  const rows = groups(axis, choice).filter(shown);
  const columns = groups(trace.keys, choice).filter(shown);
  const width = trace.keys.labels.length;
  const unit = view.scale / 255;
  const values = new Float32Array(rows.length * columns.length);
  let largest = 0;
  rows.forEach((row, r) => {
    const share = unit / row.positions.length;
    columns.forEach((column, c) => {
      let sum = 0;
      for (const i of row.positions) for (const j of column.positions) sum += weights[i * width + j];
      const value = sum * share;
      values[r * columns.length + c] = value;
      if (value > largest) largest = value;
    });
  });
  const special = trace.keys.special.flatMap((is, position) => (is ? [position] : []));
  const parked = rows.map((row) => {
    let sum = 0;
    for (const i of row.positions) for (const j of special) sum += weights[i * width + j];
    return (sum * unit) / row.positions.length;
  });
  return {
    values,
    rows,
    columns,
    rowOf: places(rows, axis.labels.length),
    columnOf: places(columns, width),
    parked,
    largest,
  };
}

/**
 * The probability of each row's token, or the product over a word's pieces; 1 where nothing was chosen.
 *
 * @param {Trace} trace
 * @param {Group} row
 * @param {{rows: string}} choice
 */
export function probability(trace, row, choice) {
  // Read by input token, row t shows the token chosen one step earlier; the start token was not chosen.
  const shift = choice.rows === "input" && trace.read ? 1 : 0;
  return row.positions.reduce((p, position) => {
    const step = trace.steps[position - shift];
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
  m.values.forEach((value, i) => {
    const column = i % m.columns.length;
    if (value > maxima[column]) maxima[column] = value;
  });
  return maxima;
}

/**
 * @param {Group[]} found
 * @param {number} length
 */
function places(found, length) {
  const place = new Array(length).fill(-1);
  found.forEach((group, index) => {
    for (const position of group.positions) place[position] = index;
  });
  return place;
}
