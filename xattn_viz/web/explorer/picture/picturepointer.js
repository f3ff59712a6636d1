import { cellIn } from "../core/kinds.js";
import { isPatchToPatch, patchCells, patchesOf, patchGrid, patchInFocus, patchSide } from "./patches.js";

/**
 * What pointer and keys do on a picture: hover and choose a patch, draw a box and take it away.
 *
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/state.js").Cell} Cell
 *
 * @typedef {{scene: Scene, panel: Panel}} Place
 * @typedef {{x: number, y: number, width: number, height: number}} Box shares of the picture's sides, 0 … 1
 * @typedef {{x: number, y: number}} Point
 */

const STILL_PIXELS = 4; // pixels that a click may move

/**
 * @param {HTMLElement} stage
 * @param {() => Place | null} placing
 * @param {import("../core/scene.js").Change} change
 */
export function followPicturePointer(stage, placing, change) {
  /** @type {{x: number, y: number, moved: boolean} | null} */
  let drag = null;
  const at = (/** @type {MouseEvent} */ event) => {
    const { left, top, width, height } = stage.getBoundingClientRect();
    const within = (/** @type {number} */ share) => Math.min(Math.max(share, 0), 1);
    return { x: within((event.clientX - left) / width), y: within((event.clientY - top) / height) };
  };
  const patchAt = (/** @type {MouseEvent} */ event, /** @type {Place} */ { panel }) => {
    const [rows, columns] = patchGrid(panel.sheet);
    const { x, y } = at(event);
    return Math.min(Math.floor(y * rows), rows - 1) * columns + Math.min(Math.floor(x * columns), columns - 1);
  };

  stage.addEventListener("pointerdown", (event) => {
    if (event.button === 0) drag = { ...at(event), moved: false };
  });
  stage.addEventListener("pointermove", (event) => {
    const place = placing();
    if (!place) return;
    if (drag && (event.buttons & 1) === 1) {
      const { x, y } = at(event);
      const [width, height] = [stage.clientWidth, stage.clientHeight];
      drag.moved ||= Math.hypot((x - drag.x) * width, (y - drag.y) * height) > STILL_PIXELS;
      if (!drag.moved) return;
      stage.setPointerCapture(event.pointerId);
      change({ box: boxOf(drag, { x, y }), hover: null });
      return;
    }
    const cell = patchCell(place, patchAt(event, place));
    const { kind } = place.panel.sheet;
    const { hover } = place.scene.state;
    if (hover?.row !== cell.row || hover.column !== cell.column || hover.kind !== kind) {
      change({ hover: { ...cell, kind } });
    }
  });
  stage.addEventListener("pointercancel", () => {
    drag = null; // the finger scrolls the page
  });
  stage.addEventListener("pointerleave", () => change({ hover: null }));
  stage.addEventListener("click", (event) => {
    const place = placing();
    const dragged = drag?.moved;
    drag = null;
    if (!place || dragged) return;
    const { box } = place.scene.state;
    if (box) return change(inBox(box, at(event)) ? {} : { box: null });
    return change(chosenPatch(place, patchAt(event, place)));
  });
  stage.addEventListener("keydown", (event) => {
    const place = placing();
    if (!place || event.ctrlKey || event.metaKey || event.altKey) return;
    const done = keyedOnPicture(event, place);
    if (!done) return;
    event.preventDefault();
    change(done);
  });
}

/**
 * The cell of a patch: with the word that is chosen where words and patches meet; where patches read patches, its row.
 *
 * @param {Place} place
 * @param {number} patch
 * @returns {Cell}
 */
export function patchCell({ scene, panel }, patch) {
  const { sheet, matrix: m } = panel;
  if (isPatchToPatch(sheet)) return { row: m?.rowOf[patchesOf(sheet.queries)[patch]] ?? -1, column: -1 };
  const chosen = cellIn(scene.main.sheet, sheet, scene.state);
  const index = patchCells(panel)[patch];
  return patchSide(sheet) === "columns" ? { row: chosen.row, column: index } : { row: index, column: chosen.column };
}

/**
 * @param {Place} place
 * @param {number} patch
 * @returns {Partial<import("../core/state.js").State>}
 */
function chosenPatch(place, patch) {
  const { scene, panel } = place;
  const here = cellIn(panel.sheet, scene.main.sheet, patchCell(place, patch));
  return { ...here, checked: here.row >= 0 && here.column >= 0 ? here : null, hover: null, step: -1 };
}

/**
 * What a key on the picture asks for.
 *
 * @param {KeyboardEvent} event
 * @param {Place} place
 * @returns {Partial<import("../core/state.js").State> | null}
 */
function keyedOnPicture({ key, shiftKey }, place) {
  const { scene, panel } = place;
  const [rows, columns] = patchGrid(panel.sheet);
  const twice = isPatchToPatch(panel.sheet);
  const { matrix: m, focus, sheet } = panel;
  const patch = twice ? patchesOf(sheet.queries).indexOf(m?.rows[focus.row]?.positions[0] ?? -1) : patchInFocus(panel);
  if (key === "Escape") {
    const none = twice ? {} : patchSide(sheet) === "columns" ? { column: -1 } : { row: -1 };
    return scene.state.box ? { box: null } : { ...none, checked: null, hover: null };
  }
  if ((key === "Enter" || key === " ") && patch >= 0) return chosenPatch(place, patch);
  const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  if (!move) return null;
  const inside = (/** @type {number} */ index, /** @type {number} */ count) => Math.min(Math.max(index, 0), count - 1);
  const row = inside(patch < 0 ? 0 : Math.floor(patch / columns) + move[0], rows);
  const column = inside(patch < 0 ? 0 : (patch % columns) + move[1], columns);
  const next = { ...chosenPatch(place, row * columns + column), checked: null };
  if (!shiftKey) return next;
  return { ...next, box: boxWith(scene.state.box, patch, row * columns + column, rows, columns) };
}

/**
 * @param {Point} one
 * @param {Point} other
 * @returns {Box}
 */
function boxOf(one, other) {
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
function inBox({ x, y, width, height }, point) {
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
function boxWith(box, from, to, rows, columns) {
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
