import { levelOf, pixels, tableFor } from "../core/colours.js";
import { fitted } from "../core/dom.js";
import { regionOf, regionWords, shownRegion, wordInFocus } from "./patches.js";

/**
 * Weights over a picture: the region of one word in the colours of the map, or those of several words in a colour each.
 *
 * What is read least is veiled most, so that the picture itself shows where a word looks, inside a rim of colour.
 *
 * @typedef {import("../core/colours.js").Rgb} Rgb
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("./patches.js").Region} Region
 *
 * @typedef {{values: Float32Array, width: number, height: number}} Sampled
 */

const FINEST = 288; // pixels of a smooth region's longer side: finer ones look the same
const CLEARED = 0.8; // how much of the veil is gone where the weight is largest
const SEVERAL = 0.7; // below 1: of several words, smaller weights show more than their share

/** Colours that stay apart for colour-blind people (Okabe and Ito 2008, "Color Universal Design"), as "r g b". */
export const WORD_COLOURS = [
  "230 159 0",
  "86 180 233",
  "0 158 115",
  "204 121 167",
  "240 228 66",
  "213 94 0",
  "0 114 178",
];

/**
 * A region as pixels: its patches, or values in between them, which follow straight lines between the patches' middles.
 *
 * @param {Region} region
 * @param {boolean} smooth
 * @param {number} [finest]
 * @returns {Sampled}
 */
export function sampled({ weights, rows, columns }, smooth, finest = FINEST) {
  if (!smooth) return { values: weights, width: columns, height: rows };
  const cell = Math.max(Math.floor(finest / Math.max(rows, columns)), 1);
  const [width, height] = [columns * cell, rows * cell];
  const across = between(columns, width);
  const down = between(rows, height);
  const values = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const [above, below, lower] = down[y];
    for (let x = 0; x < width; x++) {
      const [left, right, share] = across[x];
      const up = weights[above * columns + left] * (1 - share) + weights[above * columns + right] * share;
      const low = weights[below * columns + left] * (1 - share) + weights[below * columns + right] * share;
      values[y * width + x] = up * (1 - lower) + low * lower;
    }
  }
  return { values, width, height };
}

/**
 * Between which two cells the middle of each pixel lies, and how far on the way from the first to the second.
 *
 * @param {number} cells
 * @param {number} count of pixels
 * @returns {[number, number, number][]}
 */
function between(cells, count) {
  return Array.from({ length: count }, (_, i) => {
    const place = Math.min(Math.max(((i + 0.5) / count) * cells - 0.5, 0), cells - 1);
    const first = Math.min(Math.floor(place), cells - 1);
    return [first, Math.min(first + 1, cells - 1), place - first];
  });
}

/**
 * The region of one word: each pixel has the colour of its weight, and covers the picture the less the larger that is.
 *
 * @param {Sampled} map
 * @param {number} top where the colours end
 * @param {Uint8Array} table 256 colours
 */
export function veiled({ values, width, height }, top, table) {
  const image = new ImageData(width, height);
  const dots = new Uint32Array(image.data.buffer);
  const ink = pixels(table);
  values.forEach((value, i) => {
    const share = Math.min(value / top, 1);
    dots[i] = ink[Math.round(share * 255)];
    image.data[i * 4 + 3] = Math.round(255 * (1 - CLEARED * share));
  });
  return image;
}

/**
 * A difference of two regions: each pixel has its colour, and covers the picture the more the farther from 0 it is.
 *
 * @param {Sampled} map
 * @param {{top: number, apart: boolean}} panel
 * @param {Uint8Array} table 256 colours, 0 in the middle
 */
export function contrasted({ values, width, height }, panel, table) {
  const image = new ImageData(width, height);
  const dots = new Uint32Array(image.data.buffer);
  const ink = pixels(table);
  values.forEach((value, i) => {
    dots[i] = ink[levelOf(panel, value)];
    image.data[i * 4 + 3] = Math.round(255 * Math.min(Math.abs(value) / panel.top, 1) ** SEVERAL);
  });
  return image;
}

/**
 * The regions of several words: each pixel has the colour of the word whose weight there is largest against its own
 * largest weight, and covers the picture the more the larger that is.
 *
 * @param {{map: Sampled, largest: number, colour: string}[]} words all over the same grid
 */
export function coloured(words) {
  const { width, height } = words[0].map;
  const image = new ImageData(width, height);
  const inks = words.map(({ colour }) => colour.split(" ").map(Number));
  for (let i = 0; i < width * height; i++) {
    let [best, share] = [0, -1];
    words.forEach(({ map, largest }, w) => {
      const own = map.values[i] / Math.max(largest, 1e-6);
      if (own > share) [best, share] = [w, own];
    });
    image.data.set([...inks[best], Math.round(255 * share ** SEVERAL)], i * 4);
  }
  return image;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {ImageData} image
 * @param {[number, number, number, number]} box x, y, width and height
 * @param {boolean} smooth
 */
export function drawImageOf(context, image, box, smooth) {
  context.imageSmoothingEnabled = smooth;
  context.imageSmoothingQuality = "high";
  context.drawImage(onCanvas(image), ...box);
}

/** @type {WeakMap<import("./pictures.js").Pixels, OffscreenCanvas>} */
const canvases = new WeakMap();

/**
 * @param {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null} context
 * @param {import("./pictures.js").Pixels} picture
 * @param {[number, number, number, number]} box x, y, width and height
 */
export function drawPicture(context, picture, box) {
  if (!context) return;
  const canvas = canvases.get(picture) ?? onCanvas(imageOf(picture));
  canvases.set(picture, canvas);
  // A small picture keeps its pixels, which are what the model saw; a large one is drawn smaller.
  context.imageSmoothingEnabled = box[2] < picture.width;
  context.imageSmoothingQuality = "high";
  context.drawImage(canvas, ...box);
}

/** @param {import("./pictures.js").Pixels} picture */
function imageOf({ rgb, width, height }) {
  const image = new ImageData(width, height);
  for (let from = 0, to = 0; from < rgb.length; to += 4) {
    image.data[to] = rgb[from++];
    image.data[to + 1] = rgb[from++];
    image.data[to + 2] = rgb[from++];
    image.data[to + 3] = 255;
  }
  return image;
}

/** @param {ImageData} image */
function onCanvas(image) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d")).putImageData(image, 0, 0);
  return canvas;
}

/**
 * What lies over a picture: the weights of the word in focus, or the regions of several words.
 */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {number} wide
 * @param {number} high
 */
export function paintWeights(canvas, scene, panel, wide, high) {
  const context = fitted(canvas, wide, high);
  const { overlay, several } = scene.state;
  const smooth = overlay === "smooth";
  /** @type {(word: number) => Region | null} */
  const region = (word) => shownRegion(panel, word);
  if (panel.apart) {
    const apart = region(wordInFocus(panel));
    if (!apart) return;
    const image = contrasted(sampled(apart, smooth), panel, tableFor(scene.theme, panel));
    drawImageOf(context, image, [0, 0, wide, high], smooth);
    return;
  }
  if (several) {
    const found = several.flatMap((word, i) => {
      const one = region(word);
      const colour = WORD_COLOURS[i % WORD_COLOURS.length];
      return one ? [{ map: sampled(one, smooth), largest: one.largest, colour }] : [];
    });
    if (found.length) drawImageOf(context, coloured(found), [0, 0, wide, high], smooth);
    return;
  }
  const one = region(wordInFocus(panel));
  if (one) drawImageOf(context, veiled(sampled(one, smooth), panel.top, scene.theme.table), [0, 0, wide, high], smooth);
}

/**
 * A small map of the overview over its picture: where the word in focus looks in that head.
 */

const FINE = 96; // pixels of a small map's longer side

/** @type {WeakMap<import("./pictures.js").Pixels, OffscreenCanvas>} */
const thumbnails = new WeakMap();

/**
 * The picture as large as it stands in all small maps: there can be hundreds of them.
 *
 * @param {import("./pictures.js").Pixels} picture
 * @param {number} wide
 * @param {number} high
 */
function smaller(picture, wide, high) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.max(Math.round(wide * ratio), 1), Math.max(Math.round(high * ratio), 1)];
  const thumbnail = thumbnails.get(picture);
  if (thumbnail?.width === width && thumbnail.height === height) return thumbnail;
  const canvas = new OffscreenCanvas(width, height);
  drawPicture(canvas.getContext("2d"), picture, [0, 0, width, height]);
  thumbnails.set(picture, canvas);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {import("../controls/overview.js").Tile} tile
 * @param {number} side
 */
export function paintPictureTile(context, scene, { view, x, y }, side) {
  const { main, state, theme } = scene;
  const { picture } = main;
  const region = regionOf(main.sheet, view, regionWords(main)[wordInFocus(main)]);
  const proportion = picture ? picture.width / picture.height : 1;
  const [wide, high] = [side * Math.min(proportion, 1), side / Math.max(proportion, 1)];
  /** @type {[number, number, number, number]} */
  const box = [x + (side - wide) / 2, y + (side - high) / 2, wide, high];
  if (picture) context.drawImage(smaller(picture, wide, high), ...box);
  if (!region) return;
  const smooth = state.overlay === "smooth";
  const top = state.scale === "word" ? Math.max(region.largest, 1e-6) : main.top;
  drawImageOf(context, veiled(sampled(region, smooth, Math.min(FINE, Math.ceil(side))), top, theme.table), box, smooth);
}
