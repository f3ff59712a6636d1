import { gridSeen, regionOf, wordsSeen } from "./seen.js";

/**
 * A box drawn on a picture, and how much of each word's weight lies in it.
 *
 * @typedef {{x: number, y: number, width: number, height: number}} Box shares of the picture's sides, 0 … 1
 * @typedef {{x: number, y: number}} Point
 */

/**
 * @param {Point} one
 * @param {Point} other
 * @returns {Box}
 */
export function boxOf(one, other) {
  return {
    x: Math.min(one.x, other.x),
    y: Math.min(one.y, other.y),
    width: Math.abs(one.x - other.x),
    height: Math.abs(one.y - other.y),
  };
}

/**
 * @param {Box} box
 * @param {Point} point
 */
export function inBox({ x, y, width, height }, point) {
  return point.x >= x && point.x <= x + width && point.y >= y && point.y <= y + height;
}

/**
 * The smallest box around two patches and the box there was.
 *
 * @param {Box | null} box
 * @param {number} from a patch, -1 for none
 * @param {number} to
 * @param {number} rows
 * @param {number} columns
 * @returns {Box}
 */
export function boxWith(box, from, to, rows, columns) {
  const patch = (/** @type {number} */ index) => ({
    x: (index % columns) / columns,
    y: Math.floor(index / columns) / rows,
    width: 1 / columns,
    height: 1 / rows,
  });
  const all = [patch(to), ...(from >= 0 ? [patch(from)] : []), ...(box ? [box] : [])];
  const [left, above] = [Math.min(...all.map(({ x }) => x)), Math.min(...all.map(({ y }) => y))];
  const right = Math.max(...all.map(({ x, width }) => x + width));
  const below = Math.max(...all.map(({ y, height }) => y + height));
  return { x: left, y: above, width: right - left, height: below - above };
}

/**
 * The share of each word's weight on the picture that lies in a box: a patch that the box cuts counts by the part of it
 * that is inside. A word without weight on the picture has none.
 *
 * @param {Box} box
 * @param {import("../core/scene.js").Panel} panel
 * @returns {{word: import("../core/units.js").Group, number: number, share: number}[]} in reading order, special ones left out
 */
export function sharesIn(box, panel) {
  const [rows, columns] = gridSeen(panel.sheet);
  const across = covered(box.x, box.width, columns);
  const down = covered(box.y, box.height, rows);
  return wordsSeen(panel).flatMap((word, number) => {
    const region = word.special ? null : regionOf(panel.sheet, panel.view, word);
    if (!region) return [];
    let [inside, all] = [0, 0];
    region.weights.forEach((weight, patch) => {
      inside += weight * across[patch % columns] * down[Math.floor(patch / columns)];
      all += weight;
    });
    return [{ word, number, share: all > 0 ? inside / all : 0 }];
  });
}

/**
 * How much of each cell along one side lies in a stretch.
 *
 * @param {number} start
 * @param {number} length
 * @param {number} cells
 */
function covered(start, length, cells) {
  return Array.from({ length: cells }, (_, i) => {
    const [from, to] = [Math.max(start * cells, i), Math.min((start + length) * cells, i + 1)];
    return Math.max(to - from, 0);
  });
}
