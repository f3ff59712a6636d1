import { mixed } from "../core/colours.js";
import { fitted } from "../core/dom.js";

/**
 * A sound as a picture on a time axis: its spectrogram, or how loud it is, and over it what a row listens to.
 *
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {import("./sound.js").Picture} Picture
 * @typedef {import("./sound.js").Stretch} Stretch
 * @typedef {import("../core/theme.js").Theme} Theme
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
  const pixels = columns.length / bands;
  const image = new ImageData(pixels, bands);
  const ink = theme.dark ? /** @type {const} */ ([255, 250, 240]) : /** @type {const} */ ([20, 18, 30]);
  for (let band = 0; band < bands; band++) {
    for (let x = 0; x < pixels; x++) {
      const at = ((bands - 1 - band) * pixels + x) * 4; // the lowest band below
      const [r, g, b] = mixed(theme.ground, [...ink], (columns[band * pixels + x] / 255) ** GAMMA);
      image.data.set([r, g, b, 255], at);
    }
  }
  const small = new OffscreenCanvas(pixels, bands);
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
