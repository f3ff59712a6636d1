import { fitted, isEnlarged, make, rem } from "../core/dom.js";
import { axisTitles } from "../core/kinds.js";
import { panelTitle } from "../text/heatmap.js";
import { makeBeside } from "./beside.js";
import { isPatchToPatch, patchesOf, patchGrid, patchInFocus, patchSide, wordInFocus } from "./patches.js";
import { followPicturePointer } from "./picturepointer.js";
import { drawPicture, paintWeights } from "./region.js";

/**
 * One map over its picture, large: the weights of the word in focus on the patches, what lies beside them at the side.
 *
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const LARGEST = 960; // pixels of the picture's longer side, at a font size of 16
const SMALLEST = 360; // where the place is low, the page grows instead
const ASIDE = 210;

/** @param {import("../core/scene.js").Change} change */
export function makePictureMap(change) {
  const title = make("h3", { class: "xv-map-title" });
  const picture = make("canvas", { class: "xv-underlay" });
  const cells = make("canvas", { class: "xv-cells" });
  const frame = make("canvas", { class: "xv-frame" });
  const stage = make(
    "div",
    { class: "xv-stage xv-over-picture", role: "application", tabindex: 0 },
    picture,
    cells,
    frame,
  );
  stage.setAttribute("aria-roledescription", "attention over a picture");
  const beside = makeBeside(change);
  const both = make("div", { class: "xv-over-picture-all" }, stage, beside.element);
  const empty = make("p", { class: "xv-empty" });
  const axis = make("p", { class: "xv-axes" });
  const element = make("section", { class: "xv-map" }, make("div", { class: "xv-map-head" }, title, axis), both, empty);
  /** @type {Scene | null} */
  let last = null;
  /** @type {Panel | null} */
  let shown = null;
  let [pictured, painted] = ["", ""];
  /** @type {import("./pictures.js").Pixels | null} */
  let under = null;
  followPicturePointer(stage, () => (last && shown ? { scene: last, panel: shown } : null), change);

  /**
   * Says what the map is, before the room for it is measured.
   *
   * @param {Scene} scene
   * @param {Panel} panel
   */
  function entitle(scene, panel) {
    title.textContent = panelTitle(scene, panel) + ownGrid(panel) + unseen(panel);
    const m = panel.matrix;
    const [rows, columns] = patchGrid(panel.sheet);
    const [ofRows, ofColumns] = axisTitles(panel.sheet, scene.state);
    axis.textContent = `${patchSide(panel.sheet) === "columns" ? ofColumns : ofRows}, ${rows} × ${columns} of them`;
    both.hidden = !m?.rows.length || !m.columns.length;
    empty.textContent = m ? (both.hidden ? "Nothing is written yet." : "") : "Asking for this layer …";
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {import("../core/mapframe.js").Room} room
   */
  function paint(scene, panel, { width, height }) {
    last = scene;
    shown = panel;
    const m = panel.matrix;
    if (!m || both.hidden) return;
    const [wide, high] = sizeOf(panel, width, height);
    const { state, theme } = scene;
    const size = [scene.trace.id, state.noise, wide, high, window.devicePixelRatio].join(" ");
    if (size !== pictured || panel.picture !== under) {
      pictured = size;
      under = panel.picture;
      paintPicture(panel, wide, high);
      fitted(frame, wide, high);
    }
    const second = panel.of ? [panel.of[1].sheet.id, panel.of[1].view.name] : [];
    const word = [...second, state.special, panel.top, wordInFocus(panel)];
    const choice = [panel.sheet.id, panel.view.name, state.units, state.rows, ...word];
    const look = [size, ...choice, state.overlay, state.colours, theme.dark, state.several ?? "-"].join(" ");
    if (look !== painted) {
      painted = look;
      paintWeights(cells, scene, panel, wide, high);
    }
    cells.style.opacity = String(state.opacity);
    picture.classList.toggle("xv-greyed", Boolean(state.several) || panel.apart);
    paintOutlines(frame, scene, panel, wide, high);
    beside.paint(scene, panel);
    const [rows, columns] = patchGrid(panel.sheet);
    Object.assign(stage.dataset, { rows, columns, word: wordInFocus(panel), top: String(panel.top) });
    Object.assign(stage.dataset, { cellWidth: String(wide / columns), cellHeight: String(high / rows) });
  }

  /**
   * @param {Panel} panel
   * @param {number} wide
   * @param {number} high
   */
  function paintPicture(panel, wide, high) {
    const context = fitted(picture, wide, high);
    stage.style.width = `${wide}px`;
    stage.style.height = `${high}px`;
    if (panel.picture) drawPicture(context, panel.picture, [0, 0, wide, high]);
  }
  return {
    element,
    entitle,
    paint,
    /** @param {string} said */
    name(said) {
      element.setAttribute("aria-label", said);
      stage.setAttribute(
        "aria-label",
        `${said}: arrow keys move over the patches, with Shift they draw a box, Enter shows how a weight comes about`,
      );
    },
  };
}

/**
 * On which grid the layer of a map works itself, where that is known.
 *
 * @param {Panel} panel
 */
function ownGrid({ sheet, view, modules, apart }) {
  const isNamed = view.layer !== null && ["cross", "concepts"].includes(sheet.kind) && !isEnlarged(); // the last row of a hall needs no module
  const own = isNamed && !apart ? modules[view.layer ?? 0] : null;
  return own ? ` (${own[0]}, ${own[1]} × ${own[2]})` : "";
}

/**
 * Of several sequences a layer may look at another than the picture.
 *
 * @param {Panel} panel
 */
function unseen({ sheet, view }) {
  return sheet.keys.parts && view.inside === 0 ? " (no weight on the picture)" : "";
}

/**
 * As large as the place allows, in the picture's own proportions.
 *
 * @param {Panel} panel
 * @param {number} width
 * @param {number} height
 * @returns {[number, number]}
 */
function sizeOf(panel, width, height) {
  const { picture } = panel;
  const [rows, columns] = patchGrid(panel.sheet);
  const [wide, high] = picture ? [picture.width, picture.height] : [columns, rows];
  const unit = rem();
  if (isEnlarged()) {
    const scale = Math.min(width / wide, height / high);
    return [Math.max(Math.floor(wide * scale), 1), Math.max(Math.floor(high * scale), 1)];
  }
  const aside = width > 3 * ASIDE * unit ? ASIDE * unit : 0;
  const most = Math.max(Math.min(height, LARGEST * unit), SMALLEST * unit);
  const scale = Math.min((width - aside) / wide, most / high, (LARGEST * unit) / wide);
  return [Math.max(Math.floor(wide * scale), 1), Math.max(Math.floor(high * scale), 1)];
}

/**
 * The lines over a picture: the patch in focus, the grid while the pointer is over its patches, and the box.
 */

const GRID = "rgb(128 128 128 / 60%)";

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {number} wide
 * @param {number} high
 */
export function paintOutlines(canvas, { state }, panel, wide, high) {
  const [rows, columns] = patchGrid(panel.sheet);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, wide, high);
  const [cellWidth, cellHeight] = [wide / columns, high / rows];
  const reader = isPatchToPatch(panel.sheet) ? readerOf(panel) : -1;
  const patch = reader >= 0 ? reader : patchInFocus(panel);
  if (state.overlay === "patches" && state.hover && patchInFocus(panel) >= 0) {
    context.fillStyle = GRID;
    for (let c = 1; c < columns; c++) context.fillRect(c * cellWidth - 0.5, 0, 1, high);
    for (let r = 1; r < rows; r++) context.fillRect(0, r * cellHeight - 0.5, wide, 1);
  }
  if (patch >= 0) {
    const corner = { x: (patch % columns) * cellWidth, y: Math.floor(patch / columns) * cellHeight };
    outline(context, corner.x, corner.y, cellWidth, cellHeight, []);
  }
  const { box } = state;
  if (box) outline(context, box.x * wide, box.y * high, box.width * wide, box.height * high, [6, 4]);
}

/**
 * The patch that reads, of a map between patches.
 *
 * @param {Panel} panel
 */
function readerOf({ sheet, matrix: m, focus }) {
  const position = m?.rows[focus.row]?.positions[0] ?? -1;
  return patchesOf(sheet.queries).indexOf(position);
}

/**
 * A light line on a dark one shows on every picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {number[]} dashes of the light line
 */
function outline(context, x, y, width, height, dashes) {
  for (const [thickness, ink, broken] of /** @type {[number, string, number[]][]} */ ([
    [4, "#000", []],
    [2, "#fff", dashes],
  ])) {
    context.setLineDash(broken);
    context.lineWidth = thickness;
    context.strokeStyle = ink;
    context.strokeRect(x + 1, y + 1, width - 2, height - 2);
  }
  context.setLineDash([]);
}
