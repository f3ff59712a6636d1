import { drawImageOf, drawPicture, sampled, veiled } from "./region.js";
import { regionOf, wordInFocus, wordsSeen } from "./seen.js";

/**
 * A small map of the overview over its picture: where the word in focus looks in that head.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
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
  const known = thumbnails.get(picture);
  if (known?.width === width && known.height === height) return known;
  const canvas = new OffscreenCanvas(width, height);
  drawPicture(canvas.getContext("2d"), picture, [0, 0, width, height]);
  thumbnails.set(picture, canvas);
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {import("../controls/tiles.js").Tile} tile
 * @param {number} side
 */
export function paintSeenTile(context, scene, { view, x, y }, side) {
  const { main, picture, state, theme } = scene;
  const region = regionOf(main.sheet, view, wordsSeen(main)[wordInFocus(main)]);
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
