import { pixels } from "../core/colours.js";
import { fitted } from "../core/dom.js";

/**
 * The cells of a map over sound. Frames are wider or thinner than a pixel: each pixel shows the largest weight of the
 * frames that it covers, so that no peak is lost.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("./sound.js").Stretch} Stretch
 */

/**
 * The frames that each pixel covers.
 *
 * @param {number[]} edges
 * @param {Stretch} range
 * @param {number} count of pixels
 * @returns {[Int32Array, Int32Array]} the first and the last of each
 */
export function framesOf(edges, range, count) {
  const first = new Int32Array(count);
  const last = new Int32Array(count);
  const step = (range.to - range.from) / count;
  let frame = 0;
  for (let x = 0; x < count; x++) {
    const [begin, end] = [range.from + x * step + 1e-6, range.from + (x + 1) * step - 1e-6];
    while (frame < edges.length - 2 && edges[frame + 1] <= begin) frame++;
    first[x] = frame;
    let reach = frame;
    while (reach < edges.length - 2 && edges[reach + 1] < end) reach++;
    last[x] = reach;
  }
  return [first, last];
}

/**
 * The weights of a row as pixels.
 *
 * @param {import("../core/matrix.js").Matrix} m
 * @param {number} row
 * @param {[Int32Array, Int32Array]} frames
 * @returns {Float32Array}
 */
export function rowPixels(m, row, [first, last]) {
  const line = new Float32Array(first.length);
  const start = row * m.columns.length;
  for (let x = 0; x < line.length; x++) {
    for (let f = first[x]; f <= last[x]; f++) line[x] = Math.max(line[x], m.values[start + f]);
  }
  return line;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Stretch} range
 * @param {number} width
 * @param {number} height
 */
export function paintHeard(canvas, scene, panel, range, width, height) {
  const m = /** @type {import("../core/matrix.js").Matrix} */ (panel.matrix);
  const context = fitted(canvas, width, height);
  const frames = framesOf(/** @type {number[]} */ (panel.sheet.keys.edges), range, canvas.width);
  const image = new ImageData(canvas.width, m.rows.length);
  const dots = new Uint32Array(image.data.buffer);
  const ink = pixels(scene.theme.table);
  const factor = 255 / panel.top;
  m.rows.forEach((row, r) => {
    if (!row.positions.length) return; // a row without a counterpart holds no weights
    const line = rowPixels(m, r, frames);
    for (let x = 0; x < line.length; x++) dots[r * canvas.width + x] = ink[Math.round(line[x] * factor)];
  });
  const small = new OffscreenCanvas(canvas.width, m.rows.length);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, height);
}
