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
const WIDEST = 0.36; // of the explorer, so that the heads of a layer stand on one line

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
   * @param {number} across how wide it is
   */
  function paint(scene, across) {
    choice.paint(scene);
    const width = Math.max(across - 2 * RING, 160);
    const { sheet } = scene.main;
    const grid = gridOf(scene);
    const blocks = blocksOf(scene);
    const captions = JSON.stringify(
      blocks.map(({ views }) => views.map((view) => [view.name, captionOf(scene, view)])),
    );
    const key = [sheet.kind, sheet.layers, sheet.heads, width, captions].join(" ");
    let refocus = false;
    if (key !== laidOut) {
      laidOut = key;
      const layout = arrange(blocks, width, (view) => captionOf(scene, view));
      ({ tiles, side } = layout);
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
      canvas.remove(); // while it is painted on: what stands on the page is laid out first
      // The places outlive a trace that has the same layers and heads; its maps do not.
      for (const tile of tiles) tile.view = sheet.views.find(({ name }) => name === tile.view.name) ?? tile.view;
      const context = fitted(canvas, Number.parseInt(stage.style.width, 10), Number.parseInt(stage.style.height, 10));
      const isNumber = (/** @type {Tile} */ { view }) => grid !== null && view.head !== null;
      const maps = tiles.filter((tile) => !isNumber(tile));
      for (const tile of tiles) {
        if (grid && isNumber(tile)) paintNumber(context, sheet, grid, tile, side, scene.theme.table);
      }
      if (isOverPicture(scene.main)) for (const tile of maps) paintPictureTile(context, scene, tile, side);
      else if (maps.length) paintTiles(context, scene, maps, side);
      stage.prepend(canvas);
    }
    for (const button of stage.querySelectorAll("button")) {
      const chosen = button.dataset.view === scene.main.view.name;
      button.setAttribute("aria-checked", String(chosen));
      button.tabIndex = chosen ? 0 : -1;
      const pinned = scene.second?.sheet === sheet && button.dataset.view === scene.second.view.name;
      button.classList.toggle("xv-pinned-tile", pinned);
      // New buttons: the keyboard stays where it was.
      if (refocus && chosen) button.focus({ preventScroll: true });
    }
  }

  /** Scrolls to a map that was chosen where there are more than the overview has room for: once all has its place. */
  function reveal() {
    const button = /** @type {HTMLElement | null} */ (stage.querySelector('[aria-checked="true"]'));
    const chosen = `${laidOut} ${button?.dataset.view}`;
    if (!button || chosen === revealed) return;
    revealed = chosen;
    const [seen, tile] = [box, button].map((each) => each.getBoundingClientRect());
    const hidden = tile.top - RING < seen.top || tile.bottom + RING > seen.bottom;
    if (hidden && !box.matches(":hover")) box.scrollTop += (tile.top + tile.bottom - seen.top - seen.bottom) / 2;
  }
  return {
    element,
    paint,
    reveal,
    /** In pixels. */
    get width() {
      return box.clientWidth;
    },
    /**
     * The width at which the heads of a layer stand on one line, where that asks for no more than a share of all, else 0.
     *
     * @param {Scene} scene
     * @param {number} all the width of the explorer, in pixels
     */
    oneLine(scene, all) {
      const wanted = Math.ceil(mostOfALayer(blocksOf(scene)) * (SMALLEST_TILE + GAP) * rem() + 2 * RING);
      return wanted <= WIDEST * all ? wanted : 0;
    },
  };
}

/**
 * @param {Scene} scene
 * @param {Tile} tile
 * @param {{side: number, place: number}} layout
 */
function tileButton(scene, tile, { side, place }) {
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
    "data-help": label,
  });
  button.append(make("span", {}, short));
  if (tile.below) {
    const under = make("small");
    Object.assign(under.style, { height: `${tile.below - RING}px`, width: `${place}px` });
    if (caption.number) under.append(make("b", {}, caption.number));
    if (caption.name) under.append(isolated(caption.name, "xv-name"));
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
 * The maps of a sheet, which all have as many rows and columns, side by side on one hidden canvas; from there each goes to
 * its place, stretched.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Tile[]} tiles
 * @param {number} side
 */
function paintTiles(context, { main, state, theme }, tiles, side) {
  const { sheet } = main;
  const maps = tiles.map(({ view }) => pooled(sheet.tile(view), Math.ceil(side * window.devicePixelRatio)));
  const largest = Math.max(...sheet.views.map(({ scale }) => scale));
  const ink = pixels(theme.table);
  const [{ rows, columns }] = maps;
  const across = Math.ceil(Math.sqrt(maps.length));
  const image = new ImageData(across * columns, Math.ceil(maps.length / across) * rows);
  const dots = new Uint32Array(image.data.buffer);
  const places = maps.map((_, i) => ({ x: (i % across) * columns, y: Math.floor(i / across) * rows }));
  maps.forEach(({ cells }, i) => {
    const stretch = state.scale === "common" ? tiles[i].view.scale / largest : 1;
    for (let r = 0, at = 0; r < rows; r++) {
      const start = (places[i].y + r) * image.width + places[i].x;
      for (let c = 0; c < columns; c++) dots[start + c] = ink[Math.round(cells[at++] * stretch)];
    }
  });
  const all = new OffscreenCanvas(image.width, image.height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (all.getContext("2d")).putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  tiles.forEach(({ x, y }, i) => {
    context.drawImage(all, places[i].x, places[i].y, columns, rows, x, y, side, side);
  });
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
const GAP = 4;
const TITLE = 18;
const SMALLEST_TILE = 44; // can be hit with a finger, and told apart
const LARGEST_TILE = 72;
const CAPTION_LINE = 15; // of what stands under a map
const NAME_FONT = 12;
const MOST_NAME_LINES = 5;
const NAMED_PLACE = 66; // the narrowest in which a name can be read

/**
 * Places for all maps, block below block. Their size follows from the width alone: that at which the maps of a layer fill
 * one line, or as few lines of one length as hold them, within limits, so that it is the same whatever was looked at
 * before. Where there are more than fit, the overview grows down the page, or scrolls. Names stand below, in wider places.
 *
 * @param {Block[]} blocks
 * @param {number} width
 * @param {(view: View) => Caption} captionOf
 */
export function arrange(blocks, width, captionOf = () => ({ number: "", name: "" })) {
  const unit = rem();
  const gap = Math.round(GAP * unit);
  const title = Math.round(TITLE * unit);
  const captionLine = Math.round(CAPTION_LINE * unit);
  const hasNames = blocks.some(({ views }) => views.some((view) => captionOf(view).name));
  const below = (/** @type {View[]} */ views) => {
    const captions = views.map(captionOf);
    const numbers = captions.some(({ number }) => number) ? captionLine : 0;
    const names = Math.max(...captions.map(({ name }) => linesOfName(name, unit))) * captionLine;
    return numbers + names + (numbers + names && RING);
  };
  const longest = mostOfALayer(blocks);
  const lines = Math.ceil(longest / Math.max(Math.floor((width + gap) / (SMALLEST_TILE * unit + gap)), 1));
  const one = Math.floor((width + gap) / Math.ceil(longest / lines)) - gap;
  const side = Math.round(Math.min(Math.max(one, SMALLEST_TILE * unit), LARGEST_TILE * unit));
  const place = (hasNames ? Math.max(side, NAMED_PLACE * unit) : side) + gap;
  const most = Math.max(Math.floor((width + gap) / place), 1);
  /** @type {Tile[]} */
  const tiles = [];
  /** @type {{text: string, y: number}[]} */
  const titles = [];
  let y = 0;
  for (const { text, views } of blocks) {
    titles.push({ text, y });
    y += title;
    // Lines of about one length, so that the same head stands at the same place in every layer.
    for (const line of inLines(views, Math.ceil(views.length / Math.ceil(views.length / most)))) {
      const under = below(line);
      line.forEach((view, i) => {
        tiles.push({ view, x: i * place, y, below: under });
      });
      y += side + under + gap;
    }
  }
  const across = Math.max(...tiles.map(({ x }) => x)) + place;
  return { tiles, titles, side, place: place - gap, width: across, height: y };
}

/**
 * How many maps a layer has, its mean among them, in whatever order they stand.
 *
 * @param {Block[]} blocks
 */
function mostOfALayer(blocks) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (const { layer } of blocks.flatMap(({ views }) => views)) {
    if (layer !== null) counts.set(layer, (counts.get(layer) ?? 0) + 1);
  }
  return Math.max(...counts.values(), 1);
}

/**
 * How many lines a name takes under a small map, words being broken between lines.
 *
 * @param {string} name
 * @param {number} unit
 */
function linesOfName(name, unit) {
  return Math.min(Math.ceil((1.3 * widthOf(name, NAME_FONT * unit)) / (NAMED_PLACE * unit)), MOST_NAME_LINES);
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
