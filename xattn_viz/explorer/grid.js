/**
 * How large the cells of a map are, and how its labels stand, in CSS pixels.
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
 */

const LARGEST_CELL = [96, 44];
const SMALLEST_FONT = 11;
const LARGEST_FONT = 16;
// Up to so many rows the map stays readable line by line, and grows down the page where it must.
const READABLE_ROWS = 60;

/** @type {CanvasRenderingContext2D | null} */
let ruler = null;

/**
 * @param {string} text
 * @param {number} size
 */
function widthOf(text, size) {
  ruler ??= document.createElement("canvas").getContext("2d");
  if (!ruler) return text.length * size * 0.6;
  ruler.font = `${size}px system-ui, sans-serif`;
  return ruler.measureText(text).width;
}

/**
 * @param {import("./matrix.js").Matrix} m
 * @param {number} width
 * @param {number} height
 * @returns {Grid}
 */
export function fitGrid(m, width, height) {
  const rows = m.rows.length;
  const columns = m.columns.length;
  const widest = (/** @type {{label: string}[]} */ all) =>
    Math.min(Math.max(...all.map(({ label }) => widthOf(label, LARGEST_FONT))), 150);
  const rowLabel = widest(m.rows);
  const columnLabel = widest(m.columns);
  const labelWidth = Math.ceil(Math.min(rowLabel + 26, Math.max(width * 0.35, 70)));
  const straight = Math.floor(Math.min((width - labelWidth) / columns, LARGEST_CELL[0]));
  const slanted = columnLabel > straight - 8;
  // Turned by 45°, a label needs the same room up and to the right.
  const reach = slanted ? Math.ceil(Math.min(columnLabel, 120) * Math.SQRT1_2 + 14) : 0;
  const cellWidth = Math.max(Math.floor(Math.min((width - labelWidth - reach) / columns, LARGEST_CELL[0])), 3);
  const labelHeight = slanted ? reach + 8 : 24;
  const smallest = rows <= READABLE_ROWS ? SMALLEST_FONT + 1 : 3;
  const cellHeight = Math.max(Math.floor(Math.min((height - labelHeight) / rows, LARGEST_CELL[1])), smallest);
  return {
    rows,
    columns,
    cellWidth,
    cellHeight,
    labelWidth,
    labelHeight,
    slanted,
    overhang: reach,
    everyRow: Math.ceil((SMALLEST_FONT + 1) / cellHeight),
    everyColumn: Math.ceil((SMALLEST_FONT + 2) / cellWidth),
    rowFont: Math.min(Math.max(cellHeight - 2, SMALLEST_FONT), LARGEST_FONT),
    columnFont: Math.min(Math.max(cellWidth - 2, SMALLEST_FONT), LARGEST_FONT),
  };
}
