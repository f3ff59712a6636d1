import { make, rem } from "../core/dom.js";
import { LARGEST_FONT, READABLE_ROWS, SMALLEST_FONT, widthOf } from "../text/grid.js";
import { ticks } from "./time.js";

/**
 * How large the parts of a map over sound are, in CSS pixels; the limits below are for a font size of 16.
 *
 * @typedef {object} HeardGrid
 * @property {number} rows
 * @property {number} wide the time axis
 * @property {number} soundHigh the spectrogram
 * @property {boolean} words whether words stand over the spectrogram
 * @property {number} cellHeight
 * @property {number} labelWidth of the row labels
 * @property {number} everyRow label every n-th row
 * @property {number} rowFont
 * @property {number} room that the map may take before it scrolls
 * @property {boolean} scrolls
 * @property {(edges: number[]) => HTMLElement[]} secondsOf labels of rows that are frames of sound
 */

const LONGEST_LABEL = 150;
const SOUND_HEIGHT = 104;
const WORDS_HEIGHT = 20;
const RULER_HEIGHT = 20;
const TALLEST_CELL = 30;
const SECONDS_WIDTH = 52;

/**
 * @param {import("../core/scene.js").Panel} panel
 * @param {number} width
 * @param {number} height
 * @param {boolean} words
 * @returns {HeardGrid}
 */
export function fitHeard(panel, width, height, words) {
  const unit = rem();
  const m = /** @type {import("../core/matrix.js").Matrix} */ (panel.matrix);
  const rows = m.rows.length;
  const frames = Boolean(panel.sheet.queries.edges);
  // The names of special tokens are long and say little: they are cut where the words need less.
  const said = m.rows.filter(({ special }) => !special);
  const longest = Math.max(...(said.length ? said : m.rows).map(({ label }) => widthOf(label, LARGEST_FONT * unit)));
  const labelled = Math.min(Math.min(longest, LONGEST_LABEL * unit) + 22 * unit, Math.max(width * 0.3, 70));
  const labelWidth = Math.ceil(frames ? SECONDS_WIDTH * unit : labelled);
  const soundHigh = Math.round(SOUND_HEIGHT * unit);
  const above = soundHigh + (RULER_HEIGHT + (words ? WORDS_HEIGHT : 0)) * unit;
  const smallest = frames ? 1 : rows <= READABLE_ROWS ? SMALLEST_FONT * unit : 3;
  const cell = Math.max(Math.min((height - above) / rows, TALLEST_CELL * unit), smallest);
  const cellHeight = frames ? cell : Math.floor(cell);
  return {
    rows,
    wide: Math.max(Math.floor(width - labelWidth), 100),
    soundHigh,
    words,
    cellHeight,
    labelWidth,
    everyRow: Math.ceil((SMALLEST_FONT * unit) / cellHeight),
    rowFont: Math.min(Math.max(cellHeight - 2, SMALLEST_FONT * unit), LARGEST_FONT * unit),
    room: Math.max(height, above + 160 * unit),
    scrolls: rows > READABLE_ROWS && !frames && above + rows * cellHeight > Math.max(height, above + 160 * unit),
    secondsOf: (edges) => secondsBeside(edges, cellHeight * rows),
  };
}

/**
 * Round seconds beside rows that are frames.
 *
 * @param {number[]} edges
 * @param {number} height
 */
function secondsBeside(edges, height) {
  const range = { from: edges[0], to: edges[edges.length - 1] };
  return ticks(range, height, 32 * rem()).map(({ time, label }) => {
    const mark = make("div", { class: "xv-label xv-row-tick" }, label);
    mark.style.top = `${((time - range.from) / (range.to - range.from)) * height}px`;
    return mark;
  });
}
