import { isolated, make } from "../core/dom.js";
import { probability } from "../core/matrix.js";
import { PARKED, UNSURE } from "../core/scene.js";

/**
 * The labels of a map's rows and columns: text beside and above the canvas, thinned out where it would overlap.
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("./grid.js").Grid} Grid
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
 * @param {import("../core/scene.js").Scene} scene
 * @param {import("../core/scene.js").Panel} panel
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
