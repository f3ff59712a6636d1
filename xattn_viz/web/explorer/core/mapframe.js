import { isEnlarged, isolated, make, rem } from "./dom.js";
import { PARKED, probability, UNSURE } from "./matrix.js";

/**
 * What a large map is made of besides its cells: its elements, how large it is, the labels of its rows and columns.
 *
 * @typedef {import("./matrix.js").Matrix} Matrix
 */

/**
 * The elements that every map has, whatever its columns are: a title, row labels beside the cells, a frame over them.
 *
 * @param {HTMLElement} above what stands above the cells
 * @param {Node[]} over what lies over the cells besides the frame
 */
export function makeMapFrame(above, ...over) {
  const title = make("h3", { class: "xv-map-title" });
  const rowLabels = make("div", { class: "xv-row-labels", "aria-hidden": "true" });
  const cells = make("canvas", { class: "xv-cells" });
  const frame = make("canvas", { class: "xv-frame" });
  const coming = make("div", { class: "xv-coming" }, "To come");
  // Nothing can be read there yet.
  for (const name of ["pointermove", "pointerdown", "click"]) {
    coming.addEventListener(name, (event) => event.stopPropagation());
  }
  const stage = make("div", { class: "xv-stage", role: "application", tabindex: 0 }, cells, frame, ...over, coming);
  stage.setAttribute("aria-roledescription", "attention map");
  const grid = make("div", { class: "xv-grid" }, above, rowLabels, stage);
  const view = make("div", { class: "xv-scroll" }, grid);
  const empty = make("p", { class: "xv-empty" });
  const element = make("section", { class: "xv-map" }, title, view, empty);
  /**
   * While one steps through the rows, those after the step are still to come.
   *
   * @param {import("./scene.js").Panel} panel
   * @param {number} cellHeight
   */
  function hideComing({ written, matrix }, cellHeight) {
    const all = matrix?.rows.length ?? 0;
    coming.hidden = written >= all;
    coming.style.top = `${written * cellHeight}px`;
    for (let row = 0; row < all; row++) rowLabels.children[row]?.classList.toggle("xv-unwritten", row >= written);
    stage.dataset.written = String(written);
  }
  return { title, rowLabels, cells, frame, stage, grid, view, empty, element, hideComing };
}

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
 * @param {Matrix} m
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
  const fits = rows <= READABLE_ROWS && !isEnlarged();
  const smallest = rows <= READABLE_ROWS || isEnlarged() ? smallestFont : 3;
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
    scrolls: !fits && labelHeight + rows * cellHeight > height,
  };
}

/**
 * The labels of a map's rows and columns: text beside and above the canvas, thinned out where it would overlap.
 */

/**
 * @param {Matrix} m
 * @param {Pick<Grid, "everyRow" | "cellHeight" | "rowFont">} made
 */
export function rowLabelsOf(m, made) {
  return m.rows.map((row, r) => {
    const name = r % made.everyRow ? "xv-label xv-thinned" : "xv-label";
    const label = make("div", { class: name, title: row.text }, isolated(row.label));
    // Where rows are lower than their labels, those that are shown stand over their neighbours.
    const high = Math.max(made.cellHeight, made.rowFont + 2);
    Object.assign(label.style, { top: `${(r + 0.5) * made.cellHeight - high / 2}px`, height: `${high}px` });
    return label;
  });
}

/**
 * @param {Matrix} m
 * @param {Grid} made
 */
export function columnLabelsOf(m, made) {
  return m.columns.map((column, c) => {
    const name = c % made.everyColumn ? "xv-label xv-thinned" : "xv-label";
    const label = make("div", { class: name, title: column.text }, isolated(column.label));
    // A slanted label begins above the middle of its column.
    const place = made.slanted
      ? { left: `${(c + 0.5) * made.cellWidth}px`, width: "max-content" }
      : { left: `${c * made.cellWidth}px`, width: `${made.cellWidth}px` };
    Object.assign(label.style, place);
    return label;
  });
}

/**
 * Shows at the labels of rows which one is in focus, and which tokens the model was unsure of, parked or wrote otherwise.
 *
 * @param {HTMLElement} labels
 * @param {import("./scene.js").Scene} scene
 * @param {import("./scene.js").Panel} panel
 * @param {Matrix} m
 */
export function markRows(labels, scene, panel, m) {
  m.rows.forEach((row, r) => {
    const label = labels.children[r];
    label.classList.toggle("xv-focus", r === panel.focus.row);
    label.classList.toggle("xv-unsure", probability(panel.sheet, row, scene.state) < UNSURE);
    label.classList.toggle("xv-parked", m.parked[r] >= PARKED);
    label.classList.toggle("xv-differs", Boolean(row.differs));
  });
}
