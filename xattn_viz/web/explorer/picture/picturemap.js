import { fitted, make, rem } from "../core/dom.js";
import { titled } from "../core/kinds.js";
import { viewTitle } from "../core/payload.js";
import { makeBeside } from "./besidepicture.js";
import { paintWeights } from "./overlay.js";
import { paintOutlines } from "./picturemarks.js";
import { followPicture } from "./picturepointer.js";
import { drawPicture } from "./region.js";
import { gridSeen, wordInFocus } from "./seen.js";

/**
 * One map over its picture, large: the weights of the word in focus on the patches, what lies beside them at the side.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 */

const LARGEST = 560; // pixels of the picture's longer side, at a font size of 16
const SMALLEST = 360; // where the place is low, the page grows instead
const ASIDE = 210;

/** @param {import("../core/scene.js").Change} change */
export function makePictureMap(change) {
  const title = make("h3", { class: "xv-map-title" });
  const picture = make("canvas", { class: "xv-seen-picture" });
  const cells = make("canvas", { class: "xv-cells" });
  const frame = make("canvas", { class: "xv-frame" });
  const stage = make("div", { class: "xv-stage xv-seen", role: "application", tabindex: 0 }, picture, cells, frame);
  stage.setAttribute("aria-roledescription", "attention over a picture");
  const beside = makeBeside(change);
  const both = make("div", { class: "xv-seen-all" }, stage, beside.element);
  const empty = make("p", { class: "xv-empty" });
  const element = make("section", { class: "xv-map" }, title, both, empty);
  /** @type {Scene | null} */
  let last = null;
  /** @type {Panel | null} */
  let shown = null;
  let [pictured, painted] = ["", ""];
  followPicture(stage, () => (last && shown ? { scene: last, panel: shown } : null), change);

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {number} width
   * @param {number} height
   */
  function paint(scene, panel, width, height) {
    last = scene;
    shown = panel;
    title.textContent = titled(scene.trace, panel, viewTitle(panel.view)) + ownGrid(scene, panel) + unseen(panel);
    const m = panel.matrix;
    both.hidden = !m?.rows.length || !m.columns.length;
    empty.textContent = m ? (both.hidden ? "Nothing is written yet." : "") : "Asking for this layer …";
    if (!m || both.hidden) return;
    const [wide, high] = sizeOf(scene, panel, width, height);
    const { state, theme } = scene;
    const size = [scene.trace.id, state.noise, wide, high, window.devicePixelRatio].join(" ");
    if (size !== pictured) {
      pictured = size;
      paintPicture(scene, wide, high);
      fitted(frame, wide, high);
    }
    const choice = [panel.sheet.id, panel.view.name, state.units, state.rows, panel.top, wordInFocus(panel)];
    const look = [size, ...choice, state.overlay, state.colours, theme.dark, state.several ?? "-"].join(" ");
    if (look !== painted) {
      painted = look;
      paintWeights(cells, scene, panel, wide, high);
    }
    cells.style.opacity = String(state.opacity);
    picture.classList.toggle("xv-greyed", Boolean(state.several));
    paintOutlines(frame, scene, panel, wide, high);
    beside.paint(scene, panel);
    const [rows, columns] = gridSeen(panel.sheet);
    Object.assign(stage.dataset, { rows, columns, word: wordInFocus(panel), top: String(panel.top) });
    Object.assign(stage.dataset, { cellWidth: String(wide / columns), cellHeight: String(high / rows) });
  }

  /**
   * @param {Scene} scene
   * @param {number} wide
   * @param {number} high
   */
  function paintPicture(scene, wide, high) {
    const context = fitted(picture, wide, high);
    stage.style.width = `${wide}px`;
    stage.style.height = `${high}px`;
    if (scene.picture) drawPicture(context, scene.picture, [0, 0, wide, high]);
  }
  return {
    element,
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
 * @param {Scene} scene
 * @param {Panel} panel
 */
function ownGrid({ trace }, { sheet, view }) {
  const own = view.layer === null || sheet.kind !== "cross" ? null : trace.modules[view.layer];
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
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {number} width
 * @param {number} height
 * @returns {[number, number]}
 */
function sizeOf({ picture }, panel, width, height) {
  const [rows, columns] = gridSeen(panel.sheet);
  const [wide, high] = picture ? [picture.width, picture.height] : [columns, rows];
  const unit = rem();
  const aside = width > 3 * ASIDE * unit ? ASIDE * unit : 0;
  const most = Math.max(Math.min(height, LARGEST * unit), SMALLEST * unit);
  const scale = Math.min((width - aside) / wide, most / high, (LARGEST * unit) / wide);
  return [Math.max(Math.floor(wide * scale), 1), Math.max(Math.floor(high * scale), 1)];
}
