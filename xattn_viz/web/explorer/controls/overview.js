import { pixels } from "../core/colours.js";
import { fitted, isolated, make, rem } from "../core/dom.js";
import { widthOf } from "../core/mapframe.js";
import { viewTitle } from "../core/payload.js";
import { isOverPicture, wordInFocus } from "../picture/patches.js";
import { paintPictureTile } from "../picture/region.js";
import { blocksOf, captionOf, gridOf, gridRange, makeGridChoice, numberOf } from "./grids.js";

/**
 * All layers and heads as small maps: a picture behind, a button a map in front. Coloured by a grid of numbers, a head is
 * one colour, with its number below.
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
  const box = make("div", { class: "xv-overview" }, stage);
  const choice = makeGridChoice(change);
  const element = make("section", { class: "xv-heads", "aria-label": "Overview" }, choice.above, box, choice.below);
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
    choice.paint(scene);
    const taken = [choice.above, choice.below].map((each) => each.offsetHeight);
    const width = Math.max(box.clientWidth - 2 * RING, 160);
    const room = Math.max(height - taken[0] - taken[1], SMALLEST_BOX * rem());
    const { sheet } = scene.main;
    const grid = gridOf(scene);
    const blocks = blocksOf(scene);
    const captions = JSON.stringify(
      blocks.map(({ views }) => views.map((view) => [view.name, captionOf(scene, view)])),
    );
    const key = [sheet.kind, sheet.layers, sheet.heads, width, room, captions].join(" ");
    let refocus = false;
    if (key !== laidOut) {
      laidOut = key;
      const layout = arrange(blocks, width, room, (view) => captionOf(scene, view));
      ({ tiles, side } = layout);
      box.style.maxHeight = layout.height > room ? `${Math.round(room)}px` : "";
      stage.style.width = `${layout.width}px`;
      stage.style.height = `${layout.height}px`;
      const titles = layout.titles.map(({ text, y }) => {
        const title = make("span", { class: "xv-layer", "aria-hidden": "true" }, text);
        title.style.top = `${y}px`;
        return title;
      });
      const root = /** @type {Document | ShadowRoot} */ (stage.getRootNode());
      refocus = stage.contains(root.activeElement);
      stage.replaceChildren(canvas, ...titles, ...tiles.map((tile) => tileButton(scene, tile, layout)));
    }
    const { dark } = scene.theme;
    const { state } = scene;
    // Over a picture, each small map shows the word in focus.
    const word = isOverPicture(scene.main)
      ? [wordInFocus(scene.main), state.units, state.special, state.overlay, state.noise]
      : [];
    const look = [key, sheet.id, grid?.name, state.scale, state.colours, dark, window.devicePixelRatio, ...word].join(
      " ",
    );
    if (look !== painted) {
      painted = look;
      // The places outlive a trace that has the same layers and heads; its maps do not.
      for (const tile of tiles) tile.view = sheet.views.find(({ name }) => name === tile.view.name) ?? tile.view;
      const context = fitted(canvas, Number.parseInt(stage.style.width, 10), Number.parseInt(stage.style.height, 10));
      const ink = pixels(scene.theme.table);
      for (const tile of tiles) {
        if (grid && tile.view.head !== null) paintNumber(context, sheet, grid, tile, side, scene.theme.table);
        else if (isOverPicture(scene.main)) paintPictureTile(context, scene, tile, side);
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
    const [seen, tile] = [box, button].map((each) => each.getBoundingClientRect());
    const hidden = tile.top - RING < seen.top || tile.bottom + RING > seen.bottom;
    if (hidden && !box.matches(":hover")) box.scrollTop += (tile.top + tile.bottom - seen.top - seen.bottom) / 2;
  }
  return { element, paint };
}

/**
 * @param {Scene} scene
 * @param {Tile} tile
 * @param {{side: number, hasNames: boolean}} layout
 */
function tileButton(scene, tile, { side, hasNames }) {
  const { view } = tile;
  const isSorted = gridOf(scene) !== null && scene.state.sorted;
  const short = view.head === null ? meanName(view, isSorted) : isSorted ? view.name : String(view.head + 1);
  const title = viewTitle(view);
  const caption = captionOf(scene, view);
  const label = [title[0].toUpperCase() + title.slice(1), caption.name, caption.number].filter(Boolean).join(", ");
  const button = make("button", {
    type: "button",
    role: "radio",
    "data-view": view.name,
    "aria-label": label,
    title: label,
  });
  button.append(make("span", {}, short));
  if (tile.below) {
    const under = make("small");
    under.style.height = `${tile.below - RING}px`;
    if (caption.number) under.append(make("b", {}, caption.number));
    if (caption.name && hasNames) under.append(isolated(caption.name, "xv-name"));
    button.append(under);
  }
  Object.assign(button.style, { left: `${tile.x}px`, top: `${tile.y}px`, width: `${side}px`, height: `${side}px` });
  return button;
}

/**
 * @param {View} view
 * @param {boolean} isSorted whether means stand apart from their layers
 */
function meanName({ layer, reduce }, isSorted) {
  if (!isSorted || reduce === "max") return String(reduce);
  return layer === null ? "all" : String(layer + 1);
}

/**
 * A head as one colour, that of its number; nothing where it has none.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Sheet} sheet
 * @param {import("../core/payload.js").Grid} grid
 * @param {Tile} tile
 * @param {number} side
 * @param {Uint8Array} table 256 colours
 */
function paintNumber(context, sheet, grid, tile, side, table) {
  const value = numberOf(sheet, grid, tile.view);
  if (value === null) return;
  const { low, high } = gridRange(grid);
  const at = 3 * Math.round((255 * (value - low)) / (high - low || 1));
  context.fillStyle = `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
  context.fillRect(tile.x, tile.y, side, side);
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
 * @typedef {{view: View, x: number, y: number, below: number}} Tile `below` is how many pixels what stands under it takes
 * @typedef {import("./grids.js").Block} Block
 * @typedef {import("./grids.js").Caption} Caption
 */

// In pixels at a font size of 16.
const GAP = 7;
const TITLE = 20;
const SMALLEST_TILE = 26;
const LARGEST_TILE = 110;
const CAPTION_LINE = 14; // of what stands under a map
const NAME_FONT = 11;
const MOST_NAME_LINES = 4;
const NAMED_TILE = 58; // the smallest under which a name can be read
const SMALLEST_BOX = 200;
const MOST_HIGHER = 3; // than there is room, with names

/**
 * Places for all maps, block below block: as many to a line as makes them largest. Names stand below them where they can
 * be read and do not make the overview much higher.
 *
 * @param {Block[]} blocks
 * @param {number} width
 * @param {number} height
 * @param {(view: View) => Caption} captionOf
 */
export function arrange(blocks, width, height, captionOf = () => ({ number: "", name: "" })) {
  const unit = rem();
  const line = Math.round(CAPTION_LINE * unit);
  /** @type {(hasNames: boolean) => (views: View[]) => number} */
  const below = (hasNames) => (views) => {
    const captions = views.map(captionOf);
    const numbers = captions.some(({ number }) => number) ? line : 0;
    const names = hasNames ? Math.max(...captions.map(({ name }) => linesOfName(name, unit))) * line : 0;
    return numbers + names + (numbers + names && RING);
  };
  if (blocks.some(({ views }) => views.some((view) => captionOf(view).name))) {
    const named = placed(blocks, width, height, below(true), NAMED_TILE * unit);
    if (named.height <= MOST_HIGHER * height) return { ...named, hasNames: true };
  }
  return { ...placed(blocks, width, height, below(false), SMALLEST_TILE * unit), hasNames: false };
}

/**
 * How many lines a name takes under a small map, words being broken between lines.
 *
 * @param {string} name
 * @param {number} unit
 */
function linesOfName(name, unit) {
  return Math.min(Math.ceil((1.3 * widthOf(name, NAME_FONT * unit)) / (NAMED_TILE * unit)), MOST_NAME_LINES);
}

/**
 * @param {Block[]} blocks
 * @param {number} width
 * @param {number} height
 * @param {(views: View[]) => number} below in pixels, what stands under the maps of a line
 * @param {number} smallest side of a map
 */
function placed(blocks, width, height, below, smallest) {
  const unit = rem();
  const gap = Math.round(GAP * unit);
  const title = Math.round(TITLE * unit);
  const longest = Math.max(...blocks.map(({ views }) => views.length));
  let best = { side: 0, across: longest };
  for (let across = 1; across <= longest; across++) {
    const lines = blocks.flatMap(({ views }) => inLines(views, across));
    const taken = blocks.length * title + lines.reduce((sum, views) => sum + below(views) + gap, 0);
    const side = Math.floor(Math.min(width / across - gap, (height - taken) / lines.length, LARGEST_TILE * unit));
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
  for (const { text, views } of blocks) {
    titles.push({ text, y });
    y += title;
    for (const line of inLines(views, across)) {
      const under = below(line);
      line.forEach((view, i) => {
        tiles.push({ view, x: i * (side + gap), y, below: under });
      });
      y += side + under + gap;
    }
  }
  return { tiles, titles, side, width: across * (side + gap), height: y };
}

/**
 * @param {View[]} views
 * @param {number} across
 */
function inLines(views, across) {
  const count = Math.ceil(views.length / across);
  return Array.from({ length: count }, (_, i) => views.slice(i * across, (i + 1) * across));
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
