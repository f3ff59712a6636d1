import { inkOn, pixels } from "../core/colours.js";
import { fitted, rem } from "../core/dom.js";

/**
 * The cells of a map, and the frame around the row and column in focus.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("./grid.js").Grid} Grid
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
  const ink = pixels(scene.theme.table);
  const factor = 255 / panel.top;
  for (let i = 0; i < dots.length; i++) dots[i] = ink[Math.round(m.values[i] * factor)];
  // A row without a counterpart holds no weights, which is something else than weights of 0.
  m.rows.forEach((row, r) => {
    if (!row.positions.length) dots.fill(0, r * fit.columns, (r + 1) * fit.columns);
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
 * @param {import("../core/state.js").Cell} focus
 * @param {Grid} fit
 */
export function paintFrame(canvas, { row, column }, fit) {
  const width = fit.columns * fit.cellWidth;
  const height = fit.rows * fit.cellHeight;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, width, height);
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
