import { drawImageOf, imageOf, sampled, veiled } from "./region.js";
import { regionOf, wordInFocus, wordsSeen } from "./seen.js";

/**
 * A small map of the overview over its picture: where the word in focus looks in that head.
 *
 * @typedef {import("./scene.js").Scene} Scene
 */

const FINE = 96; // pixels of a small map's longer side

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {import("./tiles.js").Tile} tile
 * @param {number} side
 */
export function paintSeenTile(context, scene, { view, x, y }, side) {
  const { main, picture, state, theme } = scene;
  const region = regionOf(main.sheet, view, wordsSeen(main)[wordInFocus(main)]);
  const proportion = picture ? picture.width / picture.height : 1;
  const [wide, high] = [side * Math.min(proportion, 1), side / Math.max(proportion, 1)];
  /** @type {[number, number, number, number]} */
  const box = [x + (side - wide) / 2, y + (side - high) / 2, wide, high];
  if (picture) drawImageOf(context, imageOf(picture), box, true);
  if (!region) return;
  const smooth = state.overlay === "smooth";
  const top = state.scale === "word" ? Math.max(region.largest, 1e-6) : main.top;
  drawImageOf(context, veiled(sampled(region, smooth, FINE), top, theme.table), box, smooth);
}
