import { isEnlarged, isolated, make, rem, SMALLEST_FONT } from "./dom.js";
import { helpOnSpecial } from "./help.js";
import { axisTitles } from "./kinds.js";
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
  const axes = makeAxes();
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
  const element = make(
    "section",
    { class: "xv-map" },
    make("div", { class: "xv-map-head" }, title, axes.element),
    view,
    empty,
  );
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
  return { title, axes, rowLabels, cells, frame, stage, grid, view, empty, element, hideComing };
}

/**
 * What rows and columns are, in a line above a map.
 */
function makeAxes() {
  const [row, column] = [0, 1].map(() => make("span"));
  const element = make("p", { class: "xv-axes" }, row, column);
  /**
   * @param {import("./scene.js").Panel} panel
   * @param {import("./state.js").State} state
   */
  function paint({ sheet }, state) {
    const [ofRows, ofColumns] = axisTitles(sheet, state);
    row.textContent = `↓ ${ofRows}`;
    column.textContent = `${ofColumns} →`;
  }
  return { element, paint };
}

/**
 * The map of the other trace that stands beside this one of two that are compared.
 *
 * @param {import("./scene.js").Scene} scene
 * @param {import("./scene.js").Panel} panel
 */
export function besides({ compared, main, second }, panel) {
  return compared && second && !panel.apart ? (panel === second ? main : second).matrix : null;
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
 * @property {"" | "slanted" | "upright"} turned how far the column labels are turned: not, by 45°, by 90°
 * @property {number} overhang what slanted labels need at the right of the last column
 * @property {number} everyRow label every n-th row
 * @property {number} everyColumn
 * @property {number} rowFont
 * @property {number} columnFont
 * @property {number} longestTurned
 * @property {boolean} isCut whether a label is thinned out or cut, so that it is read in the lens
 * @property {boolean} scrolls whether the map is too large to be shown at once, and scrolls under its labels
 *
 * @typedef {object} Room for a map, in CSS pixels
 * @property {number} width
 * @property {number} height what is left of the window below the texts
 * @property {number} most what a map may take that is not readable in that: about the window
 */

const LARGEST_CELL = [240, 96];
export const LARGEST_FONT = 16;
const TURNED_FONT = 13; // turned letters take height from the map
// What a line of a label needs against its font, and a slanted one, which is read across its neighbours.
export const LABEL_LINE = 13 / 12;
const SLANTED_LINE = 1.25;
// Of the labels of rows, and of turned ones of columns; a sentence's first words need more.
const LONGEST_LABELS = { tokens: [150, 120], sentences: [270, 170] };
// Up to so many rows the map stays readable line by line, and scrolls where it must.
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
 * In whole pixels; small cells in eighths of one, where whole ones would leave much of the room.
 *
 * @param {number} pixels
 */
function inPixels(pixels) {
  return pixels < 12 ? Math.floor(pixels * 8) / 8 : Math.floor(pixels);
}

/**
 * @param {Matrix} m
 * @param {Room} room
 * @param {Matrix} [other] the one beside it, whose labels have the same room, so that the same cells are as large in both
 * @returns {Grid}
 */
export function fitGrid(m, { width, height, most }, other = m) {
  const unit = rem();
  const smallestFont = SMALLEST_FONT * unit;
  const largestFont = LARGEST_FONT * unit;
  const smallestLine = Math.ceil(LABEL_LINE * smallestFont);
  const [longestLabel, longestTurned] = LONGEST_LABELS[m.units === "sentences" ? "sentences" : "tokens"].map(
    (pixels) => pixels * unit,
  );
  const rows = m.rows.length;
  const columns = m.columns.length;
  const longer = (/** @type {"rows" | "columns"} */ side) =>
    m[side].map(({ label }, at) =>
      Math.max(widthOf(label, largestFont), widthOf(other[side][at]?.label ?? "", largestFont)),
    );
  const rowLabels = longer("rows");
  const rowLabel = Math.min(Math.max(...rowLabels), Math.max(longestLabel, 0.2 * width));
  const labels = longer("columns");
  const labelWidth = Math.ceil(Math.min(rowLabel + 26 * unit, Math.max(width * 0.35, 70)));
  const room = width - labelWidth;
  const straight = Math.floor(Math.min(room / columns, LARGEST_CELL[0] * unit));
  const isTurned = Math.max(...labels) > straight - 8;
  const columnFont = Math.min(Math.max(straight - 2, smallestFont), isTurned ? TURNED_FONT * unit : largestFont);
  const line = Math.ceil(LABEL_LINE * columnFont);
  const high = labels.map((label) => Math.min((label * columnFont) / largestFont, longestTurned));
  // Side by side where they fit; else turned by 45°, where slanted lines still pass each other; else by 90°.
  /** @type {Grid["turned"]} */
  const turned = !isTurned ? "" : straight >= SLANTED_LINE * columnFont * Math.SQRT2 ? "slanted" : "upright";
  // Turned by 45°, a label needs the same room up and to the right, from the middle of its column.
  const reaches = high.map((long) =>
    turned === "slanted" ? Math.ceil((long + columnFont) * Math.SQRT1_2 + 4) : turned ? line / 2 : 0,
  );
  // The widest cells with which every label still ends inside: only the last ones reach beyond their map.
  const widest = reaches.map((reach, c) => Math.min((room - reach) / (c + 0.5), room / columns));
  const cellWidth = Math.max(inPixels(Math.min(...widest, LARGEST_CELL[0] * unit)), 3);
  const overhang = Math.max(...reaches.map((reach, c) => reach - (columns - c - 0.5) * cellWidth), 0);
  const longest = turned === "slanted" ? Math.max(...reaches) : Math.max(...high);
  const labelHeight = Math.ceil(turned ? longest + 10 : SLANTED_LINE * columnFont + 6);
  // A map of many rows is shown whole, and its labels are thinned out; others keep a line for each row.
  const readable = rows <= READABLE_ROWS || isEnlarged();
  const left = (height - labelHeight) / rows;
  const inWindow = Math.min((most - labelHeight) / rows, smallestLine);
  const cellHeight = inPixels(
    Math.max(Math.min(Math.max(left, inWindow), LARGEST_CELL[1] * unit), readable ? smallestLine : 3),
  );
  const rowFont = Math.min(Math.max(cellHeight / LABEL_LINE, smallestFont), largestFont);
  const everyRow = Math.ceil((LABEL_LINE * rowFont) / cellHeight - 0.01);
  const everyColumn = turned === "upright" ? Math.ceil(line / cellWidth) : 1;
  const isLong = rowLabels.some((label) => (label * rowFont) / largestFont > labelWidth - 10 * unit);
  const isTurnedLong = turned !== "" && labels.some((label) => (label * columnFont) / largestFont > longestTurned);
  return {
    rows,
    columns,
    cellWidth,
    cellHeight,
    labelWidth,
    labelHeight,
    turned,
    overhang: Math.ceil(overhang),
    everyRow,
    everyColumn,
    rowFont,
    columnFont,
    longestTurned,
    isCut: everyRow > 1 || everyColumn > 1 || isLong || isTurnedLong,
    scrolls: labelHeight + rows * cellHeight > Math.max(height, most) + 1,
  };
}

/**
 * The labels of a map's rows and columns: text beside and above the canvas, thinned out where it would overlap.
 */

/**
 * The name of a row or column, with all that it stands for, or what a special token is for.
 *
 * @param {import("./units.js").Group} group
 * @param {string} name of its classes
 */
function labelOf({ label, text, special }, name) {
  const element = make("div", { class: name }, isolated(label));
  if (special) element.dataset.help = `${label}: ${helpOnSpecial(label)}`;
  else element.title = text;
  return element;
}

/**
 * @param {Matrix} m
 * @param {Pick<Grid, "everyRow" | "cellHeight" | "rowFont">} made
 */
export function rowLabelsOf(m, made) {
  return m.rows.map((row, r) => {
    const name = r % made.everyRow ? "xv-label xv-thinned" : "xv-label";
    const label = labelOf(row, name);
    // Where rows are lower than their labels, those that are shown stand over their neighbours.
    const high = Math.max(made.cellHeight, LABEL_LINE * made.rowFont);
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
    const label = labelOf(column, name);
    // A slanted label begins above the middle of its column, an upright one stands on it.
    const line = LABEL_LINE * made.columnFont;
    const place = {
      "": { left: `${c * made.cellWidth}px`, width: `${made.cellWidth}px` },
      slanted: { left: `${(c + 0.5) * made.cellWidth}px`, width: "max-content" },
      upright: { left: `${(c + 0.5) * made.cellWidth - line / 2}px`, width: `${line}px` },
    }[made.turned];
    Object.assign(label.style, place);
    return label;
  });
}

/**
 * Shows which label is in focus. Where labels are thinned out it may be one between two others, which then step aside.
 *
 * @param {HTMLElement} labels
 * @param {number} focus -1 for none
 * @param {number} every n-th label is shown
 * @param {(index: number) => boolean} [differs] which of them the other map has something else for
 */
export function markFocus(labels, focus, every, differs = () => false) {
  for (let i = 0; i < labels.childElementCount; i++) {
    const label = labels.children[i];
    label.classList.toggle("xv-focus", i === focus);
    label.classList.toggle("xv-differs", differs(i));
    label.classList.toggle("xv-aside", focus >= 0 && i !== focus && Math.abs(i - focus) < every);
  }
}

/**
 * Shows at the labels of rows which one is in focus, and which tokens the model was unsure of, parked or wrote otherwise.
 *
 * @param {HTMLElement} labels
 * @param {import("./scene.js").Scene} scene
 * @param {import("./scene.js").Panel} panel
 * @param {Matrix} m
 * @param {number} every n-th label is shown
 */
export function markRows(labels, scene, panel, m, every) {
  markFocus(labels, panel.focus.row, every);
  m.rows.forEach((row, r) => {
    const label = labels.children[r];
    label.classList.toggle("xv-unsure", probability(panel.sheet, row, scene.state) < UNSURE);
    label.classList.toggle("xv-parked", m.parked[r] >= PARKED);
    label.classList.toggle("xv-differs", Boolean(row.differs));
  });
}
