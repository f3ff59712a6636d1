import { pixels } from "../core/colours.js";
import { fitted, make, rem } from "../core/dom.js";
import { viewTitle } from "../core/payload.js";
import { isOverPicture, wordInFocus } from "../picture/patches.js";
import { paintPictureTile } from "../picture/region.js";

/**
 * All layers and heads as small maps: a picture behind, a button a map in front.
 *
 * @typedef {import("../core/payload.js").Sheet} Sheet
 * @typedef {import("../core/payload.js").View} View
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const RING = 4; // pixels around the maps, as in the style sheet

/** @param {import("../core/scene.js").Change} change */
export function makeOverview(change) {
  const canvas = make("canvas", { "aria-hidden": "true" });
  const stage = make("div", { class: "xv-tiles", role: "radiogroup", "aria-label": "Layers and heads" }, canvas);
  const element = make("section", { class: "xv-overview", "aria-label": "Overview" }, stage);
  /** @type {Tile[]} */
  let tiles = [];
  let side = 0;
  let laidOut = "";
  let painted = "";
  let revealed = "";

  stage.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button?.dataset.view) change({ head: button.dataset.view, checked: null });
  });
  stage.addEventListener("keydown", (event) => {
    const held = event.target instanceof Element ? event.target.getAttribute("data-view") : null;
    const from = tiles.findIndex((tile) => tile.view.name === held);
    const here = tiles.findIndex((tile) => stage.querySelector(`[data-view="${tile.view.name}"][aria-checked="true"]`));
    const next = neighbour(tiles, from >= 0 ? from : here, event.key);
    if (next === null) return;
    event.preventDefault();
    change({ head: tiles[next].view.name, checked: null });
    /** @type {HTMLElement | null} */ (stage.querySelector(`[data-view="${tiles[next].view.name}"]`))?.focus();
  });

  /**
   * @param {Scene} scene
   * @param {number} height in pixels that the overview may take
   */
  function paint(scene, height) {
    const width = Math.max(element.clientWidth - 2 * RING, 160);
    const { sheet } = scene.main;
    const key = [sheet.kind, sheet.layers, sheet.heads, width, height].join(" ");
    let refocus = false;
    if (key !== laidOut) {
      laidOut = key;
      const layout = arrange(sheet, width, height, sheet.kind === "cross" ? scene.trace.modules : []);
      ({ tiles, side } = layout);
      element.style.maxHeight = layout.height > height ? `${Math.round(height)}px` : "";
      stage.style.width = `${layout.width}px`;
      stage.style.height = `${layout.height}px`;
      const titles = layout.titles.map(({ text, y }) => {
        const title = make("span", { class: "xv-layer", "aria-hidden": "true" }, text);
        title.style.top = `${y}px`;
        return title;
      });
      const root = /** @type {Document | ShadowRoot} */ (stage.getRootNode());
      refocus = stage.contains(root.activeElement);
      stage.replaceChildren(canvas, ...titles, ...tiles.map((tile) => tileButton(tile, side)));
    }
    const { dark } = scene.theme;
    const { state } = scene;
    // Over a picture, each small map shows the word in focus.
    const word = isOverPicture(scene.main)
      ? [wordInFocus(scene.main), state.units, state.special, state.overlay, state.noise]
      : [];
    const look = [key, sheet.id, state.scale, state.colours, dark, window.devicePixelRatio, ...word].join(" ");
    if (look !== painted) {
      painted = look;
      // The places outlive a trace that has the same layers and heads; its maps do not.
      for (const tile of tiles) tile.view = sheet.views.find(({ name }) => name === tile.view.name) ?? tile.view;
      const context = fitted(canvas, Number.parseInt(stage.style.width, 10), Number.parseInt(stage.style.height, 10));
      const ink = pixels(scene.theme.table);
      for (const tile of tiles) {
        if (isOverPicture(scene.main)) paintPictureTile(context, scene, tile, side);
        else paintTile(context, scene, tile, side, ink);
      }
    }
    for (const button of stage.querySelectorAll("button")) {
      const chosen = button.dataset.view === scene.main.view.name;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      const pinned = scene.second?.sheet === sheet && button.dataset.view === scene.second.view.name;
      button.classList.toggle("xv-pinned-tile", pinned);
      // New buttons: the keyboard stays where it was.
      if (refocus && chosen) button.focus({ preventScroll: true });
      if (chosen && revealed !== `${key} ${button.dataset.view}`) {
        revealed = `${key} ${button.dataset.view}`;
        reveal(button);
      }
    }
  }

  /**
   * Scrolls to the chosen map where there are more than the overview has room for.
   *
   * @param {HTMLElement} button
   */
  function reveal(button) {
    const [box, tile] = [element, button].map((each) => each.getBoundingClientRect());
    const hidden = tile.top - RING < box.top || tile.bottom + RING > box.bottom;
    if (hidden && !element.matches(":hover")) element.scrollTop += (tile.top + tile.bottom - box.top - box.bottom) / 2;
  }
  return { element, paint };
}

/**
 * @param {Tile} tile
 * @param {number} side
 */
function tileButton(tile, side) {
  const name = tile.view.head === null ? String(tile.view.reduce) : String(tile.view.head + 1);
  const title = viewTitle(tile.view);
  const label = title[0].toUpperCase() + title.slice(1);
  const button = make("button", {
    type: "button",
    role: "radio",
    "data-view": tile.view.name,
    "aria-label": label,
    title: label,
  });
  button.append(make("span", {}, name));
  Object.assign(button.style, { left: `${tile.x}px`, top: `${tile.y}px`, width: `${side}px`, height: `${side}px` });
  return button;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Tile} tile
 * @param {number} side
 * @param {Uint32Array} ink 256 colours
 */
function paintTile(context, scene, tile, side, ink) {
  const { sheet } = scene.main;
  const { cells, rows, columns } = pooled(sheet.tile(tile.view), Math.ceil(side * window.devicePixelRatio));
  const largest = Math.max(...sheet.views.map((view) => view.scale));
  const stretch = scene.state.scale === "common" ? tile.view.scale / largest : 1;
  const image = new ImageData(columns, rows);
  const dots = new Uint32Array(image.data.buffer);
  for (let i = 0; i < cells.length; i++) dots[i] = ink[Math.round(cells[i] * stretch)];
  const small = new OffscreenCanvas(columns, rows);
  /** @type {OffscreenCanvasRenderingContext2D} */ (small.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(small, tile.x, tile.y, side, side);
}

/**
 * A map of at most `most` rows and columns, each cell the largest of its block: a peak smaller than a pixel still shows.
 *
 * @param {{cells: Uint8Array, rows: number, columns: number}} map
 * @param {number} most
 */
function pooled(map, most) {
  const rows = Math.min(map.rows, most);
  const columns = Math.min(map.columns, most);
  if (rows === map.rows && columns === map.columns) return map;
  const cells = new Uint8Array(rows * columns);
  const columnOf = Array.from({ length: map.columns }, (_, c) => Math.floor((c * columns) / map.columns));
  for (let r = 0; r < map.rows; r++) {
    const start = Math.floor((r * rows) / map.rows) * columns;
    for (let c = 0; c < map.columns; c++) {
      const at = start + columnOf[c];
      const value = map.cells[r * map.columns + c];
      if (value > cells[at]) cells[at] = value;
    }
  }
  return { cells, rows, columns };
}

/**
 * Where each small map of the overview stands.
 *
 * @typedef {{view: View, x: number, y: number}} Tile
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
  const blocks = [...layers, null]
    .map((layer) => views.filter((view) => view.layer === layer))
    .filter(({ length }) => length);
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
    const face = layer === null ? "All layers" : `Layer ${layer + 1}${own}`;
    titles.push({ text: block[0].whole ? "Whole model" : face, y });
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
