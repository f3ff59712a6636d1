import { rem } from "../core/dom.js";

/**
 * Where each small map of the overview stands.
 *
 * @typedef {import("../core/payload.js").Sheet} Sheet
 * @typedef {{view: import("../core/payload.js").View, x: number, y: number}} Tile
 */

// In pixels at a font size of 16.
const GAP = 7;
const TITLE = 20;
const SMALLEST_TILE = 26;
const LARGEST_TILE = 110;

/**
 * Places for all maps: as many to a line as makes them largest. Layers stand below each other, the whole model's last.
 *
 * @param {Sheet} sheet
 * @param {number} width
 * @param {number} height
 * @param {[string, number, number][]} [named] each layer's own grid, where that is known
 */
export function arrange(sheet, width, height, named = []) {
  const { views, layers } = sheet;
  const unit = rem();
  const gap = Math.round(GAP * unit);
  const title = Math.round(TITLE * unit);
  const smallest = SMALLEST_TILE * unit;
  const blocks = [...layers, null].map((layer) => views.filter((view) => view.layer === layer));
  const longest = Math.max(...blocks.map((block) => block.length));
  let best = { side: 0, across: longest };
  for (let across = 1; across <= longest; across++) {
    const down = blocks.reduce((sum, block) => sum + Math.ceil(block.length / across), 0);
    const high = (height - blocks.length * title) / down - gap;
    const side = Math.floor(Math.min(width / across - gap, high, LARGEST_TILE * unit));
    if (side >= best.side) best = { side, across };
  }
  // Never smaller than can be hit with a finger or told apart: the overview then grows down the page.
  const side = Math.max(best.side, smallest);
  const across = best.side < smallest ? Math.max(1, Math.floor(width / (side + gap))) : best.across;
  /** @type {Tile[]} */
  const tiles = [];
  /** @type {{text: string, y: number}[]} */
  const titles = [];
  let y = 0;
  for (const block of blocks) {
    const { layer } = block[0];
    const own = layer !== null && named[layer] ? `, ${named[layer][1]} × ${named[layer][2]}` : "";
    titles.push({ text: layer === null ? "All layers" : `Layer ${layer + 1}${own}`, y });
    y += title;
    block.forEach((view, i) => {
      tiles.push({ view, x: (i % across) * (side + gap), y: y + Math.floor(i / across) * (side + gap) });
    });
    y += Math.ceil(block.length / across) * (side + gap);
  }
  return { tiles, titles, side, width: across * (side + gap), height: y };
}

/**
 * The tile that an arrow key leads to: left and right in reading order, up and down to the nearest below or above.
 *
 * @param {Tile[]} tiles
 * @param {number} from
 * @param {string} key
 */
export function neighbour(tiles, from, key) {
  if (key === "ArrowRight") return Math.min(from + 1, tiles.length - 1);
  if (key === "ArrowLeft") return Math.max(from - 1, 0);
  if (key === "Home") return 0;
  if (key === "End") return tiles.length - 1;
  if (key !== "ArrowUp" && key !== "ArrowDown") return null;
  const sign = key === "ArrowDown" ? 1 : -1;
  const { x, y } = tiles[from];
  const beyond = tiles.map((tile, i) => ({ i, far: sign * (tile.y - y), aside: Math.abs(tile.x - x) }));
  const reachable = beyond.filter(({ far }) => far > 0).sort((a, b) => a.far - b.far || a.aside - b.aside);
  return reachable.length ? reachable[0].i : from;
}
