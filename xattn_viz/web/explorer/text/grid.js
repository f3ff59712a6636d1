import { rem } from "../core/dom.js";

/**
 * How large the cells of a map are, and how its labels stand, in CSS pixels; the limits below are for a font size of 16.
 *
 * @typedef {object} Grid
 * @property {number} rows
 * @property {number} columns
 * @property {number} cellWidth
 * @property {number} cellHeight
 * @property {number} labelWidth of the row labels
 * @property {number} labelHeight of the column labels
 * @property {boolean} slanted whether the column labels are turned
 * @property {number} overhang what slanted labels need at the right of the last column
 * @property {number} everyRow label every n-th row
 * @property {number} everyColumn
 * @property {number} rowFont
 * @property {number} columnFont
 * @property {number} longestSlanted
 * @property {boolean} scrolls whether the map is too large to be shown at once, and scrolls under its labels
 */

const LARGEST_CELL = [96, 44];
export const SMALLEST_FONT = 11;
export const LARGEST_FONT = 16;
// Of the labels of rows, and of slanted ones of columns; a sentence's first words need more.
const LONGEST_LABELS = { tokens: [150, 120], sentences: [270, 170] };
// Up to so many rows the map stays readable line by line, and grows down the page where it must.
export const READABLE_ROWS = 60;

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;

/**
 * @param {string} text
 * @param {number} size
 */
export function widthOf(text, size) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.length * size * 0.6;
  ruler.font = `${size}px system-ui, sans-serif`;
  return ruler.measureText(text).width;
}

/**
 * @param {import("../core/matrix.js").Matrix} m
 * @param {number} width
 * @param {number} height
 * @returns {Grid}
 */
export function fitGrid(m, width, height) {
  const unit = rem();
  const smallestFont = SMALLEST_FONT * unit;
  const largestFont = LARGEST_FONT * unit;
  const [longestLabel, longestSlanted] = LONGEST_LABELS[m.units === "sentences" ? "sentences" : "tokens"].map(
    (pixels) => pixels * unit,
  );
  const rows = m.rows.length;
  const columns = m.columns.length;
  const rowLabel = Math.min(Math.max(...m.rows.map(({ label }) => widthOf(label, largestFont))), longestLabel);
  const labels = m.columns.map(({ label }) =>
    Math.min(widthOf(label, largestFont), Math.max(longestLabel, longestSlanted)),
  );
  const labelWidth = Math.ceil(Math.min(rowLabel + 26 * unit, Math.max(width * 0.35, 70)));
  const room = width - labelWidth;
  const straight = Math.floor(Math.min(room / columns, LARGEST_CELL[0] * unit));
  const slanted = Math.max(...labels) > straight - 8;
  const columnFont = Math.min(Math.max(straight - 2, smallestFont), largestFont);
  // Turned by 45°, a label needs the same room up and to the right, from the middle of its column.
  const reaches = labels.map((label) =>
    slanted
      ? Math.ceil((Math.min((label * columnFont) / largestFont, longestSlanted) + columnFont) * Math.SQRT1_2 + 4)
      : 0,
  );
  // The widest cells with which every label still ends inside: only the last ones reach beyond their map.
  const widest = reaches.map((reach, c) => Math.min((room - reach) / (c + 0.5), room / columns));
  const cellWidth = Math.max(Math.floor(Math.min(...widest, LARGEST_CELL[0] * unit)), 3);
  const overhang = Math.max(...reaches.map((reach, c) => reach - (columns - c - 0.5) * cellWidth), 0);
  const labelHeight = slanted ? Math.max(...reaches) + 8 : Math.ceil(24 * unit);
  const smallest = rows <= READABLE_ROWS ? smallestFont : 3;
  const cellHeight = Math.floor(Math.max(Math.min((height - labelHeight) / rows, LARGEST_CELL[1] * unit), smallest));
  return {
    rows,
    columns,
    cellWidth,
    cellHeight,
    labelWidth,
    labelHeight,
    slanted,
    overhang: Math.ceil(overhang),
    everyRow: Math.ceil(smallestFont / cellHeight),
    everyColumn: Math.ceil((smallestFont + 2) / cellWidth),
    rowFont: Math.min(Math.max(cellHeight - 2, smallestFont), largestFont),
    columnFont,
    longestSlanted,
    scrolls: rows > READABLE_ROWS && labelHeight + rows * cellHeight > height,
  };
}
