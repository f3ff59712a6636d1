import { listenedAt } from "./spoken.js";

/**
 * What is drawn over a map over sound: where words begin and end, the way of their alignment, the row and time in focus.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("./soundgrid.js").HeardGrid} HeardGrid
 * @typedef {(time: number) => number} Place
 */

const LOW = 8; // pixels of a row
const ROOMY = 24; // pixels a word

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {HeardGrid} fit
 */
export function paintMarks(canvas, scene, panel, fit) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [fit.wide, fit.cellHeight * fit.rows];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(canvas.width / width, canvas.height / height);
  const range = /** @type {import("./sound.js").Stretch} */ (scene.range);
  const x = (/** @type {number} */ time) => ((time - range.from) / (range.to - range.from)) * width;
  if (scene.state.times && panel.sheet.kind === "cross") {
    paintBorders(context, scene, x, width, height);
    if (panel === scene.main || !scene.compared) paintPath(context, scene, panel, x, fit.cellHeight);
  }
  paintFocused(context, panel, x, fit);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Place} x
 * @param {number} width
 * @param {number} height
 */
function paintBorders(context, { trace, theme }, x, width, height) {
  const words = trace.sound?.words ?? [];
  const shown = words.filter(({ start, end }) => x(end) > 0 && x(start) < width);
  context.strokeStyle = theme.ink;
  context.globalAlpha = width / Math.max(shown.length, 1) > ROOMY ? 0.22 : 0.1;
  context.lineWidth = 1;
  context.beginPath();
  for (const time of new Set(shown.flatMap(({ start, end }) => [start, end]))) {
    context.moveTo(Math.round(x(time)) + 0.5, 0);
    context.lineTo(Math.round(x(time)) + 0.5, height);
  }
  context.stroke();
  context.globalAlpha = 1;
}

/**
 * A stair from the top left to the bottom right: along the middle of each row while it lasts.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Place} x
 * @param {number} high of a row
 */
function paintPath(context, { trace, state, theme }, panel, x, high) {
  const m = panel.matrix;
  if (!m || !trace.sound) return;
  const shift = state.rows === "input" && panel.sheet.read ? 1 : 0;
  context.beginPath();
  /** @type {number | null} */
  let reached = null;
  for (const [row, start, end] of trace.sound.path) {
    const place = m.rowOf[row + shift] ?? -1;
    if (place < 0) continue;
    const y = (place + 0.5) * high;
    // Two rows share the frame in which one gives way to the next: a step goes straight down there.
    if (reached === null) context.moveTo(x(start), y);
    else context.lineTo(reached, y);
    reached = x(end);
    context.lineTo(reached, y);
  }
  // A light line on a dark one shows on every colour of every map; on low rows it would hide what is under it.
  for (const [thickness, ink] of /** @type {[number, string][]} */ ([
    [2.5, theme.dark ? "rgb(0 0 0 / 40%)" : "rgb(255 255 255 / 60%)"],
    [1.25, theme.dark ? `rgb(${theme.accent.join(" ")} / 85%)` : theme.ink],
  ])) {
    if (thickness > 2 && high < LOW) continue;
    context.lineWidth = high < LOW ? 0.75 : thickness;
    context.strokeStyle = ink;
    context.stroke();
  }
}

/**
 * The row in focus, the stretch that it listened to, and the time in focus.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Place} x
 * @param {HeardGrid} fit
 */
function paintFocused(context, panel, x, fit) {
  const { row, column } = panel.focus;
  const edges = /** @type {number[]} */ (panel.sheet.keys.edges);
  const outline = (
    /** @type {number} */ left,
    /** @type {number} */ top,
    /** @type {number} */ w,
    /** @type {number} */ h,
  ) => {
    for (const [thickness, ink] of /** @type {[number, string][]} */ ([
      [3, "#000"],
      [1.5, "#fff"],
    ])) {
      context.lineWidth = thickness;
      context.strokeStyle = ink;
      context.strokeRect(left, top, w, h);
    }
  };
  // Around rows too low to be seen inside a line, it runs outside.
  const out = fit.cellHeight < LOW ? 2 : 0;
  const [top, high] = [row * fit.cellHeight - out, fit.cellHeight + 2 * out];
  if (row >= 0) outline(-4, top, fit.wide + 8, high);
  const held = listenedAt(panel, row);
  if (held && column < 0) outline(x(held.from) - out, top, x(held.to) - x(held.from) + 2 * out, high);
  if (column < 0) return;
  const [left, right] = [x(edges[column]), x(edges[column + 1])];
  outline(left, -4, Math.max(right - left, 1), fit.cellHeight * fit.rows + 8);
}
