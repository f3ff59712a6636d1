import { inkOn } from "./colours.js";
import { fitted, isolated, make, rem } from "./dom.js";
import { fitGrid } from "./grid.js";
import { probability } from "./matrix.js";
import { viewTitle } from "./payload.js";
import { PARKED, UNSURE } from "./scene.js";

/**
 * One map, large: cells on a canvas, tokens as text beside and above it, the row and column in focus framed.
 *
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {import("./scene.js").Panel} Panel
 * @typedef {import("./grid.js").Grid} Grid
 */

/**
 * @param {import("./scene.js").Change} change
 * @param {string} name
 */
export function makeHeatmap(change, name) {
  const title = make("h3", { class: "xv-map-title" });
  const columnLabels = make("div", { class: "xv-column-labels", "aria-hidden": "true" });
  const rowLabels = make("div", { class: "xv-row-labels", "aria-hidden": "true" });
  const cells = make("canvas", { class: "xv-cells" });
  const frame = make("canvas", { class: "xv-frame" });
  const stage = make("div", { class: "xv-stage", role: "application", tabindex: 0 }, cells, frame);
  stage.setAttribute("aria-roledescription", "attention map");
  stage.setAttribute("aria-label", `${name}: arrow keys move over its cells, Enter shows how a weight comes about`);
  const grid = make("div", { class: "xv-grid" }, columnLabels, rowLabels, stage);
  const empty = make("p", { class: "xv-empty" });
  const element = make(
    "section",
    { class: "xv-map", "aria-label": name },
    title,
    make("div", { class: "xv-scroll" }, grid),
    empty,
  );
  /** @type {Grid | null} */
  let fit = null;
  /** @type {Scene | null} */
  let last = null;
  let laidOut = "";
  let painted = "";

  const at = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const box = stage.getBoundingClientRect();
    if (!fit) return null;
    const row = Math.floor((event.clientY - box.top) / fit.cellHeight);
    const column = Math.floor((event.clientX - box.left) / fit.cellWidth);
    return row >= 0 && column >= 0 && row < fit.rows && column < fit.columns ? { row, column } : null;
  };
  stage.addEventListener("pointermove", (event) => {
    const cell = at(event);
    const hover = last?.state.hover;
    if (cell && (hover?.row !== cell.row || hover?.column !== cell.column)) change({ hover: cell });
  });
  stage.addEventListener("pointerleave", () => change({ hover: null }));
  stage.addEventListener("click", (event) => {
    const cell = at(event);
    if (cell) change({ ...cell, checked: cell, step: -1 });
  });
  stage.addEventListener("keydown", (event) => {
    if (!last || !fit) return;
    const { row, column } = last.focus;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move) {
      event.preventDefault();
      const next = {
        row: Math.min(Math.max(row + (row < 0 ? 1 : move[0]), 0), fit.rows - 1),
        column: Math.min(Math.max(column + (column < 0 ? 1 : move[1]), 0), fit.columns - 1),
      };
      change({ ...next, hover: null, step: -1 });
      stage.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (row >= 0 && column >= 0) change({ row, column, checked: { row, column } });
    } else if (event.key === "Escape") {
      change({ column: -1, checked: null, hover: null });
    }
  });

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {number} width
   * @param {number} height
   */
  function paint(scene, panel, width, height) {
    last = scene;
    const heading = viewTitle(panel.view);
    title.textContent = heading[0].toUpperCase() + heading.slice(1);
    const m = panel.matrix;
    grid.hidden = !m?.rows.length || !m.columns.length;
    empty.textContent = m
      ? grid.hidden
        ? "Only special tokens here: show them to see this map."
        : ""
      : "Asking for this layer …";
    if (!m || grid.hidden) return;
    const layout = JSON.stringify([
      width,
      height,
      m.rows.map((row) => row.label),
      m.columns.map((column) => column.label),
    ]);
    if (layout !== laidOut || !fit) {
      laidOut = layout;
      fit = fitGrid(m, width, height);
      layOut(m, fit);
    }
    const look = [layout, scene.trace.id, panel.view.name, scene.state.units, scene.state.rows, panel.top].join(" ");
    const theme = [look, scene.state.colours, scene.theme.dark, window.devicePixelRatio].join(" ");
    if (theme !== painted) {
      painted = theme;
      paintCells(cells, scene, panel, fit);
    }
    paintFrame(frame, scene, fit);
    m.rows.forEach((row, r) => {
      const label = /** @type {HTMLElement} */ (rowLabels.children[r]);
      label.classList.toggle("xv-focus", r === scene.focus.row);
      label.classList.toggle("xv-unsure", probability(scene.trace, row, scene.state) < UNSURE);
      label.classList.toggle("xv-parked", m.parked[r] >= PARKED);
    });
    m.columns.forEach((_, c) => {
      columnLabels.children[c].classList.toggle("xv-focus", c === scene.focus.column);
    });
    stage.dataset.cellWidth = String(fit.cellWidth);
    stage.dataset.cellHeight = String(fit.cellHeight);
    stage.dataset.top = String(panel.top);
  }

  /**
   * @param {import("./matrix.js").Matrix} m
   * @param {Grid} made
   */
  function layOut(m, made) {
    grid.style.gridTemplateColumns = `${made.labelWidth}px auto`;
    grid.style.gridTemplateRows = `${made.labelHeight}px auto`;
    grid.style.paddingInlineEnd = `${made.overhang}px`;
    columnLabels.classList.toggle("xv-slanted", made.slanted);
    rowLabels.style.fontSize = `${made.rowFont}px`;
    columnLabels.style.fontSize = `${made.columnFont}px`;
    rowLabels.replaceChildren(
      ...m.rows.map((row, r) => {
        const label = make(
          "div",
          { class: r % made.everyRow ? "xv-label xv-thinned" : "xv-label", title: row.label },
          isolated(row.label),
        );
        // Where rows are lower than their labels, those that are shown stand over their neighbours.
        const high = Math.max(made.cellHeight, made.rowFont + 2);
        Object.assign(label.style, { top: `${(r + 0.5) * made.cellHeight - high / 2}px`, height: `${high}px` });
        return label;
      }),
    );
    columnLabels.replaceChildren(
      ...m.columns.map((column, c) => {
        const thinned = c % made.everyColumn ? "xv-label xv-thinned" : "xv-label";
        const label = make("div", { class: thinned, title: column.label }, isolated(column.label));
        // A slanted label begins above the middle of its column.
        const place = made.slanted
          ? { left: `${(c + 0.5) * made.cellWidth}px`, width: "max-content" }
          : { left: `${c * made.cellWidth}px`, width: `${made.cellWidth}px` };
        Object.assign(label.style, place);
        return label;
      }),
    );
    fitted(frame, made.columns * made.cellWidth, made.rows * made.cellHeight);
  }
  return { element, paint };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Grid} fit
 */
function paintCells(canvas, scene, panel, fit) {
  const m = /** @type {import("./matrix.js").Matrix} */ (panel.matrix);
  const { table } = scene.theme;
  const context = fitted(canvas, fit.columns * fit.cellWidth, fit.rows * fit.cellHeight);
  const image = new ImageData(fit.columns, fit.rows);
  m.values.forEach((value, i) => {
    const colour = Math.round((value / panel.top) * 255) * 3;
    image.data.set(table.subarray(colour, colour + 3), i * 4);
    image.data[i * 4 + 3] = 255;
  });
  const small = new OffscreenCanvas(fit.columns, fit.rows);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, fit.columns * fit.cellWidth, fit.rows * fit.cellHeight);
  if (fit.cellWidth < 32 * rem() || fit.cellHeight < 17 * rem()) return;
  // Where there is room, the number stands in the cell. Small weights stay silent: they would only be noise.
  context.font = `${Math.min(12 * rem(), fit.cellHeight - 5)}px ${getComputedStyle(canvas).fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  m.values.forEach((value, i) => {
    if (value < 0.05) return;
    const pixel = image.data.subarray(i * 4, i * 4 + 3);
    context.fillStyle = inkOn([pixel[0], pixel[1], pixel[2]]);
    const x = ((i % fit.columns) + 0.5) * fit.cellWidth;
    const y = (Math.floor(i / fit.columns) + 0.5) * fit.cellHeight;
    context.fillText(value.toFixed(2), x, y + 0.5);
  });
}

const LINES = [
  [3, "#000"],
  [1.5, "#fff"],
];

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Grid} fit
 */
function paintFrame(canvas, scene, fit) {
  const width = fit.columns * fit.cellWidth;
  const height = fit.rows * fit.cellHeight;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, width, height);
  const { row, column } = scene.focus;
  // A light line on a dark one shows on every colour of every map.
  // Around cells too small to be seen inside a line, it runs outside.
  const inset = Math.min(fit.cellWidth, fit.cellHeight) < 8 ? -2 : 1;
  const stroke = (/** @type {[number, number, number, number]} */ [x, y, w, h]) => {
    for (const [thickness, ink] of /** @type {[number, string][]} */ (LINES)) {
      context.lineWidth = thickness;
      context.strokeStyle = ink;
      context.strokeRect(x + inset, y + inset, w - 2 * inset, h - 2 * inset);
    }
  };
  if (row >= 0) stroke([0, row * fit.cellHeight, width, fit.cellHeight]);
  if (column >= 0) stroke([column * fit.cellWidth, 0, fit.cellWidth, height]);
}
