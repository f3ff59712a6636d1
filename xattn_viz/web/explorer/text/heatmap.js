import { inkOn, LINKED, levelOf, pixels, tableFor } from "../core/colours.js";
import { fitted, isEnlarged, make, rem } from "../core/dom.js";
import { cellIn, titled } from "../core/kinds.js";
import { besides, columnLabelsOf, fitGrid, makeMapFrame, markFocus, markRows, rowLabelsOf } from "../core/mapframe.js";
import { decimals } from "../core/matrix.js";
import { viewTitle } from "../core/payload.js";
import { makeLens } from "./lens.js";

/**
 * One map, large: cells on a canvas, tokens as text beside and above it, the row and column in focus framed.
 *
 * @typedef {import("../core/mapframe.js").Grid} Grid
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const HATCHED = 6; // pixels from stripe to stripe

/**
 * What a map is called; a difference by what is taken from what.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {boolean} [whole] as in `titled`
 */
export function panelTitle({ trace, main, second }, panel, whole) {
  if (!panel.apart || !second) return titled(trace, panel, viewTitle(panel.view), whole);
  const [one, other] = [main, second].map(({ view }) => viewTitle(view));
  const name = main.name && `${second.name} \u2212 ${main.name}`;
  return titled(trace, { ...panel, name }, one === other ? one : `${other} \u2212 ${one}`, whole);
}

/**
 * @param {import("../core/scene.js").Change} change
 */
export function makeHeatmap(change) {
  const columnLabels = make("div", { class: "xv-column-labels", "aria-hidden": "true" });
  const parts = makeMapFrame(columnLabels);
  const { title, axes, rowLabels, cells, frame, stage, grid, view, empty, element, hideComing } = parts;
  const lens = makeLens(element, view, stage);
  /** @type {Grid | null} */
  let fit = null;
  /** @type {Scene | null} */
  let last = null;
  /** @type {Panel | null} */
  let shown = null;
  let laidOut = "";
  let painted = "";

  const at = (/** @type {PointerEvent | MouseEvent} */ event) => {
    const box = stage.getBoundingClientRect();
    if (!fit) return null;
    const row = Math.floor((event.clientY - box.top) / fit.cellHeight);
    const column = Math.floor((event.clientX - box.left) / fit.cellWidth);
    return row >= 0 && column >= 0 && row < fit.rows && column < fit.columns ? { row, column } : null;
  };
  /**
   * What is chosen is said of the chosen map, also where another kind of map is pinned beside it.
   *
   * @param {import("../core/state.js").Cell} cell
   */
  const choose = (cell) => {
    if (!last || !shown) return;
    const here = cellIn(shown.sheet, last.main.sheet, cell);
    change({ ...here, checked: here.row >= 0 && here.column >= 0 ? here : null, step: -1 });
    uncover(cell);
  };
  /**
   * On a narrow screen the arithmetic lies over the lower part of the window: what it covers of the row moves up.
   *
   * @param {import("../core/state.js").Cell} cell
   */
  const uncover = ({ row }) => {
    const check = /** @type {Document | ShadowRoot} */ (stage.getRootNode()).querySelector(".xv-check");
    if (!fit || !check) return;
    const { top, left, right } = check.getBoundingClientRect();
    const box = stage.getBoundingClientRect();
    const bottom = box.top + (row + 1) * fit.cellHeight;
    const covered = Math.min(right, box.right) - Math.max(left, box.left);
    if (bottom <= top || covered < box.width / 2) return;
    const spot = make("span", { class: "xv-spot" });
    spot.style.top = `${(row + 1) * fit.cellHeight}px`;
    spot.style.scrollMarginBottom = `${window.innerHeight - top + 8}px`;
    stage.append(spot);
    spot.scrollIntoView({ block: "nearest" });
    spot.remove();
  };
  stage.addEventListener("pointermove", (event) => {
    const cell = at(event);
    const hover = last?.state.hover;
    const kind = shown?.sheet.kind ?? "";
    const moved = hover?.row !== cell?.row || hover?.column !== cell?.column || hover?.kind !== kind;
    if (cell && moved) change({ hover: { ...cell, kind } });
  });
  stage.addEventListener("pointerleave", () => change({ hover: null }));
  stage.addEventListener("click", (event) => {
    const cell = at(event);
    if (cell) choose(cell);
  });
  stage.addEventListener("keydown", (event) => {
    if (!last || !fit || !shown) return;
    const { row, column } = shown.focus;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const move = moves[/** @type {keyof typeof moves} */ (event.key)];
    if (move) {
      event.preventDefault();
      const next = {
        row: Math.min(Math.max(row + (row < 0 ? 1 : move[0]), 0), fit.rows - 1),
        column: Math.min(Math.max(column + (column < 0 ? 1 : move[1]), 0), fit.columns - 1),
      };
      change({ ...cellIn(shown.sheet, last.main.sheet, next), hover: null, step: -1 });
      stage.scrollIntoView({ block: "nearest" });
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (row >= 0 && column >= 0) choose({ row, column });
    } else if (event.key === "Escape") {
      change({ column: -1, checked: null, hover: null });
    }
  });

  /**
   * Says what the map is, before the room for it is measured.
   *
   * @param {Scene} scene
   * @param {Panel} panel
   */
  function entitle(scene, panel) {
    title.textContent = panelTitle(scene, panel);
    const m = panel.matrix;
    grid.hidden = !m?.rows.length || !m.columns.length;
    empty.textContent = m
      ? grid.hidden
        ? scene.trace.growing
          ? "Nothing is written yet."
          : "Only special tokens here: show them to see this map."
        : ""
      : "Asking for this layer …";
    axes.element.hidden = grid.hidden;
    axes.paint(panel, scene.state);
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {import("../core/mapframe.js").Room} room
   */
  function paint(scene, panel, room) {
    last = scene;
    shown = panel;
    const m = panel.matrix;
    if (!m || grid.hidden) return;
    const other = besides(scene, panel);
    const layout = JSON.stringify([
      room,
      m.rows.map((row, r) => [row.label, row.differs, other?.rows[r]?.label]),
      m.columns.map((column, c) => [column.label, column.differs, other?.columns[c]?.label]),
    ]);
    if (layout !== laidOut || !fit) {
      laidOut = layout;
      fit = fitGrid(m, room, other ?? m);
      layOut(m, fit);
      view.style.setProperty("--xv-pane", fit.scrolls ? `${Math.max(room.height, room.most)}px` : "none");
    }
    const { units, rows, links } = scene.state;
    const second = panel.apart && scene.second ? [scene.second.sheet.id, scene.second.view.name] : [];
    const look = [
      layout,
      panel.sheet.id,
      panel.view.name,
      ...second,
      units,
      rows,
      links,
      panel.linked.length,
      panel.top,
    ].join(" ");
    const theme = [look, scene.state.colours, scene.theme.dark, window.devicePixelRatio].join(" ");
    if (theme !== painted) {
      painted = theme;
      paintCells(cells, scene, panel, fit);
    }
    paintFrame(frame, panel.focus, fit);
    if (fit.scrolls) reveal(panel.focus, fit);
    markRows(rowLabels, scene, panel, m, fit.everyRow);
    hideComing(panel, fit.cellHeight);
    markFocus(columnLabels, panel.focus.column, fit.everyColumn, (c) => Boolean(m.columns[c].differs));
    lens.paint(scene, panel, fit);
    stage.dataset.cellWidth = String(fit.cellWidth);
    stage.dataset.cellHeight = String(fit.cellHeight);
    stage.dataset.top = String(panel.top);
  }

  /**
   * Scrolls a large map to the row and column in focus, unless the pointer is in it: nothing moves away under it.
   *
   * @param {import("../core/state.js").Cell} focus
   * @param {Grid} made
   */
  function reveal({ row, column }, made) {
    if (view.matches(":hover") && (!isEnlarged() || last?.state.hover)) return;
    const [wide, high] = [view.clientWidth - made.labelWidth, view.clientHeight - made.labelHeight];
    const x = (column + 0.5) * made.cellWidth;
    const y = (row + 0.5) * made.cellHeight;
    if (column >= 0 && (x < view.scrollLeft || x > view.scrollLeft + wide)) view.scrollLeft = x - wide / 2;
    if (row >= 0 && (y < view.scrollTop || y > view.scrollTop + high)) view.scrollTop = y - high / 2;
  }

  /**
   * @param {import("../core/matrix.js").Matrix} m
   * @param {Grid} made
   */
  function layOut(m, made) {
    grid.style.gridTemplateColumns = `${made.labelWidth}px auto`;
    grid.style.gridTemplateRows = `${made.labelHeight}px auto`;
    grid.style.paddingInlineEnd = `${made.overhang}px`;
    columnLabels.classList.toggle("xv-slanted", made.turned === "slanted");
    columnLabels.classList.toggle("xv-upright", made.turned === "upright");
    rowLabels.style.fontSize = `${made.rowFont}px`;
    columnLabels.style.setProperty("--xv-longest", `${made.longestTurned}px`);
    columnLabels.style.fontSize = `${made.columnFont}px`;
    rowLabels.replaceChildren(...rowLabelsOf(m, made));
    columnLabels.replaceChildren(...columnLabelsOf(m, made));
    fitted(frame, made.columns * made.cellWidth, made.rows * made.cellHeight);
  }
  return {
    element,
    entitle,
    paint,
    /** @param {string} said */
    name(said) {
      element.setAttribute("aria-label", said);
      stage.setAttribute("aria-label", `${said}: arrow keys move over its cells, Enter shows how a weight comes about`);
    },
  };
}

/**
 * The cells of a map, and the frame around the row and column in focus.
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Grid} fit
 */
export function paintCells(canvas, scene, panel, fit) {
  const m = /** @type {import("../core/matrix.js").Matrix} */ (panel.matrix);
  const context = fitted(canvas, fit.columns * fit.cellWidth, fit.rows * fit.cellHeight);
  const image = new ImageData(fit.columns, fit.rows);
  const dots = new Uint32Array(image.data.buffer);
  const ink = pixels(tableFor(scene.theme, panel));
  for (let i = 0; i < dots.length; i++) dots[i] = ink[levelOf(panel, m.values[i])];
  // What has no counterpart holds no weights, which is something else than weights of 0.
  const absent = scene.compared ? absentCells(m) : [];
  for (const cell of absent) dots[cell] = 0;
  const small = new OffscreenCanvas(fit.columns, fit.rows);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, fit.columns * fit.cellWidth, fit.rows * fit.cellHeight);
  if (panel.apart) hatch(context, absent, fit, scene.theme.ink);
  for (const { row, column } of panel.linked) {
    const [width, height] = [Math.max(fit.cellWidth - 5, 1), Math.max(fit.cellHeight - 5, 1)];
    strokeFrame(context, [column * fit.cellWidth + 2.5, row * fit.cellHeight + 2.5, width, height], LINKED);
  }
  const lowest = isEnlarged() ? 29 : 17 * rem();
  if (fit.cellWidth < 32 * rem() || fit.cellHeight < lowest) return;
  // Where there is room, the number stands in the cell. Small weights stay silent: they would only be noise.
  context.font = `${Math.min(12 * rem(), fit.cellHeight - 5)}px ${getComputedStyle(canvas).fontFamily}`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  m.values.forEach((value, i) => {
    if (!(Math.abs(value) >= 0.05)) return;
    const pixel = image.data.subarray(i * 4, i * 4 + 3);
    context.fillStyle = inkOn([pixel[0], pixel[1], pixel[2]]);
    const x = ((i % fit.columns) + 0.5) * fit.cellWidth;
    const y = (Math.floor(i / fit.columns) + 0.5) * fit.cellHeight;
    context.fillText(decimals(value), x, y + 0.5);
  });
}

/**
 * The cells whose row or column is not there, or has no counterpart.
 *
 * @param {import("../core/matrix.js").Matrix} m
 */
function absentCells({ rows, columns }) {
  const isAbsent = (/** @type {import("../core/units.js").Group} */ group) => group.alone || !group.positions.length;
  const across = columns.flatMap((column, c) => (isAbsent(column) ? [c] : []));
  return rows.flatMap((row, r) =>
    (isAbsent(row) ? columns.map((_, c) => c) : across).map((c) => r * columns.length + c),
  );
}

/**
 * Stripes over cells that have no difference.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number[]} cells
 * @param {Grid} fit
 * @param {string} ink
 */
function hatch(context, cells, fit, ink) {
  if (!cells.length) return;
  context.save();
  context.beginPath();
  for (const cell of cells) {
    const [x, y] = [(cell % fit.columns) * fit.cellWidth, Math.floor(cell / fit.columns) * fit.cellHeight];
    context.rect(x, y, fit.cellWidth, fit.cellHeight);
  }
  context.clip();
  context.globalAlpha = 0.35;
  context.strokeStyle = ink;
  const [wide, high] = [fit.columns * fit.cellWidth, fit.rows * fit.cellHeight];
  context.beginPath();
  for (let x = -high; x < wide; x += HATCHED) {
    context.moveTo(x, high);
    context.lineTo(x + high, 0);
  }
  context.stroke();
  context.restore();
}

/**
 * A light line on a dark one shows on every colour of every map.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {[number, number, number, number]} box left, top, width, height
 * @param {string} [light]
 */
function strokeFrame(context, box, light = "#fff") {
  for (const [thickness, ink] of /** @type {[number, string][]} */ ([
    [3, "#000"],
    [1.5, light],
  ])) {
    context.lineWidth = thickness;
    context.strokeStyle = ink;
    context.strokeRect(...box);
  }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("../core/state.js").Cell} focus
 * @param {Grid} fit
 */
export function paintFrame(canvas, { row, column }, fit) {
  const width = fit.columns * fit.cellWidth;
  const height = fit.rows * fit.cellHeight;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, width, height);
  // Around cells too small to be seen inside a line, it runs outside.
  const inset = Math.min(fit.cellWidth, fit.cellHeight) < 8 ? -2 : 1;
  const stroke = (/** @type {[number, number, number, number]} */ [x, y, w, h]) =>
    strokeFrame(context, [x + inset, y + inset, w - 2 * inset, h - 2 * inset]);
  if (row >= 0) stroke([0, row * fit.cellHeight, width, fit.cellHeight]);
  if (column >= 0) stroke([column * fit.cellWidth, 0, fit.cellWidth, height]);
}
