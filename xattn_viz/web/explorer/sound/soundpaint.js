import { levelOf, mixed, pixels, tableFor } from "../core/colours.js";
import { fitted } from "../core/dom.js";
import { attendedSpan } from "./sound.js";

/**
 * What is painted of a sound and of a map over it: the spectrogram, the cells, and the marks over both.
 *
 * @typedef {import("../core/colours.js").Theme} Theme
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("./sound.js").Picture} Picture
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {import("./sound.js").Stretch} Stretch
 * @typedef {import("./soundmap.js").SoundGrid} SoundGrid
 */

const GAMMA = 1.4; // Whisper's logarithm lifts what is hardly heard

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Sound} sound
 * @param {Stretch} range
 * @param {number} width
 * @param {number} height
 * @param {Theme} theme
 */
export function paintSound(canvas, sound, range, width, height, theme) {
  const context = fitted(canvas, width, height);
  const shown = sound.mel ?? sound.envelope;
  if (!shown) return;
  const begin = (range.from - sound.start) / shown.seconds;
  const end = (range.to - sound.start) / shown.seconds;
  const columns = perPixel(shown.cells, shown.bands, shown.frames, begin, end, canvas.width);
  if (sound.mel) paintBands(context, columns, shown.bands, width, height, theme);
  else paintLoudness(context, columns, width, height, theme);
}

/**
 * Frames as columns of pixels, each the mean of the frames that it covers.
 *
 * @param {Uint8Array} cells [band, frame]
 * @param {number} bands
 * @param {number} frames
 * @param {number} begin in frames
 * @param {number} end
 * @param {number} pixels
 * @returns {Float32Array} [band, pixel]
 */
function perPixel(cells, bands, frames, begin, end, pixels) {
  const columns = new Float32Array(bands * pixels);
  for (let x = 0; x < pixels; x++) {
    const first = Math.floor(begin + ((end - begin) * x) / pixels + 1e-6);
    const last = Math.max(first, Math.ceil(begin + ((end - begin) * (x + 1)) / pixels - 1e-6) - 1);
    const [low, high] = [Math.max(first, 0), Math.min(last, frames - 1)];
    for (let band = 0; band < bands; band++) {
      let sum = 0;
      for (let f = low; f <= high; f++) sum += cells[band * frames + f];
      columns[band * pixels + x] = high >= low ? sum / (high - low + 1) : 0;
    }
  }
  return columns;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Float32Array} columns
 * @param {number} bands
 * @param {number} width
 * @param {number} height
 * @param {Theme} theme
 */
function paintBands(context, columns, bands, width, height, theme) {
  const wide = columns.length / bands;
  const image = new ImageData(wide, bands);
  const dots = new Uint32Array(image.data.buffer);
  const ink = theme.dark ? /** @type {const} */ ([255, 250, 240]) : /** @type {const} */ ([20, 18, 30]);
  // Once for each of the 256 values that a cell has: worked out for each pixel, colours took longer than all the rest.
  const shades = Array.from({ length: 256 }, (_, value) => mixed(theme.ground, [...ink], (value / 255) ** GAMMA));
  const table = pixels(Uint8Array.from(shades.flat()));
  for (let band = 0; band < bands; band++) {
    const from = (bands - 1 - band) * wide; // the lowest band below
    for (let x = 0; x < wide; x++) dots[from + x] = table[Math.round(columns[band * wide + x])];
  }
  const small = new OffscreenCanvas(wide, bands);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, width, height);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Float32Array} columns
 * @param {number} width
 * @param {number} height
 * @param {Theme} theme
 */
function paintLoudness(context, columns, width, height, theme) {
  const wide = width / columns.length;
  context.fillStyle = theme.ink;
  columns.forEach((loud, x) => {
    const high = Math.max((loud / 255) * (height - 4), 1);
    context.fillRect(x * wide, (height - high) / 2, wide, high);
  });
}

/**
 * What a row listens to, as a tint over the sound.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array | null} shares 0 … 1 of each pixel
 * @param {number} width
 * @param {number} height
 * @param {Theme} theme
 */
export function paintTint(canvas, shares, width, height, theme) {
  const context = fitted(canvas, width, height);
  if (!shares) return;
  const wide = width / shares.length;
  context.fillStyle = `rgb(${theme.accent.join(" ")})`;
  shares.forEach((share, x) => {
    if (share < 0.01) return;
    context.globalAlpha = 0.75 * share;
    context.fillRect(x * wide, 0, wide, height);
  });
  context.globalAlpha = 1;
}

/**
 * The cells of a map over sound. Frames are wider or thinner than a pixel: each pixel shows the largest weight of the
 * frames that it covers, so that no peak is lost.
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
 * The weights of a row as pixels, each the largest of its frames; of differences the one farthest from 0.
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
    for (let f = first[x]; f <= Math.min(last[x], m.columns.length - 1); f++) {
      if (Math.abs(m.values[start + f]) > Math.abs(line[x])) line[x] = m.values[start + f];
    }
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
export function paintSoundCells(canvas, scene, panel, range, width, height) {
  const m = /** @type {import("../core/matrix.js").Matrix} */ (panel.matrix);
  const context = fitted(canvas, width, height);
  const frames = framesOf(/** @type {number[]} */ (panel.edges), range, canvas.width);
  const image = new ImageData(canvas.width, m.rows.length);
  const dots = new Uint32Array(image.data.buffer);
  const ink = pixels(tableFor(scene.theme, panel));
  // Until the layer of the other map is here, this one has no columns beyond its own.
  const isThere = (/** @type {import("../core/units.js").Group | undefined} */ group) =>
    group?.positions.length && !group.alone;
  const there = Array.from(frames[0], (frame) => isThere(m.columns[frame]));
  m.rows.forEach((row, r) => {
    if (!isThere(row)) return; // what has no counterpart holds no weights
    const line = rowPixels(m, r, frames);
    for (let x = 0; x < line.length; x++) if (there[x]) dots[r * canvas.width + x] = ink[levelOf(panel, line[x])];
  });
  const small = new OffscreenCanvas(canvas.width, m.rows.length);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, width, height);
}

/**
 * What is drawn over a map over sound: where words begin and end, the way of their alignment, the row and time in focus.
 *
 * @typedef {(time: number) => number} Place
 */

const LOW = 8; // pixels of a row
const ROOMY = 24; // pixels a word

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {SoundGrid} fit
 */
export function paintMarks(canvas, scene, panel, fit) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [fit.wide, fit.cellHeight * fit.rows];
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.scale(canvas.width / width, canvas.height / height);
  const range = /** @type {Stretch} */ (panel.range);
  const x = (/** @type {number} */ time) => ((time - range.from) / (range.to - range.from)) * width;
  if (scene.state.times && panel.sheet.kind === "cross") {
    const isOwn = panel !== scene.second || !scene.compared || scene.trace.beside?.hears;
    context.save();
    context.clip(rowsThere(panel, fit));
    paintBorders(context, panel, scene.theme, x, width, height);
    if (isOwn && !panel.apart) paintPath(context, scene, panel, x, fit.cellHeight);
    context.restore();
  }
  paintFocused(context, panel, x, fit);
}

/**
 * The rows of a map that stand for something: of two that are compared, one may have rows that the other has not.
 *
 * @param {Panel} panel
 * @param {SoundGrid} fit
 */
function rowsThere({ matrix }, fit) {
  const there = new Path2D();
  matrix?.rows.forEach((row, r) => {
    if (row.positions.length && !row.alone) there.rect(0, r * fit.cellHeight, fit.wide, fit.cellHeight);
  });
  return there;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Panel} panel
 * @param {Theme} theme
 * @param {Place} x
 * @param {number} width
 * @param {number} height
 */
function paintBorders(context, { sound }, theme, x, width, height) {
  const words = sound?.words ?? [];
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
function paintPath(context, { state, theme }, panel, x, high) {
  const { matrix: m, sound } = panel;
  if (!m || !sound) return;
  const shift = state.rows === "input" && panel.sheet.read ? 1 : 0;
  context.beginPath();
  /** @type {number | null} */
  let reached = null;
  for (const [row, start, end] of sound.path) {
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
 * @param {SoundGrid} fit
 */
function paintFocused(context, panel, x, fit) {
  const { row, column } = panel.focus;
  const edges = /** @type {number[]} */ (panel.edges);
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
  const held = panel.apart ? null : attendedSpan(panel, row);
  if (held && column < 0) outline(x(held.from) - out, top, x(held.to) - x(held.from) + 2 * out, high);
  if (column < 0) return;
  const [left, right] = [x(edges[column]), x(edges[column + 1])];
  outline(left, -4, Math.max(right - left, 1), fit.cellHeight * fit.rows + 8);
}
