import { carried } from "../core/kinds.js";
import { boxOf, boxWith, inBox } from "./box.js";
import { gridSeen, isSeenTwice, patchesOf, patchInFocus, placesSeen, sideSeen } from "./seen.js";

/**
 * What pointer and keys do on a picture: hover and choose a patch, draw a box and take it away.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/state.js").Cell} Cell
 * @typedef {{scene: Scene, panel: Panel}} Place
 */

const STILL_PIXELS = 4; // pixels that a click may move

/**
 * @param {HTMLElement} stage
 * @param {() => Place | null} placing
 * @param {import("../core/scene.js").Change} change
 */
export function followPicture(stage, placing, change) {
  /** @type {{x: number, y: number, moved: boolean} | null} */
  let drag = null;
  const at = (/** @type {MouseEvent} */ event) => {
    const { left, top, width, height } = stage.getBoundingClientRect();
    const within = (/** @type {number} */ share) => Math.min(Math.max(share, 0), 1);
    return { x: within((event.clientX - left) / width), y: within((event.clientY - top) / height) };
  };
  const patchAt = (/** @type {MouseEvent} */ event, /** @type {Place} */ { panel }) => {
    const [rows, columns] = gridSeen(panel.sheet);
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
  if (isSeenTwice(sheet)) return { row: m?.rowOf[patchesOf(sheet.queries)[patch]] ?? -1, column: -1 };
  const chosen = carried(scene.main.sheet, sheet, scene.state);
  const index = placesSeen(panel)[patch];
  return sideSeen(sheet) === "columns" ? { row: chosen.row, column: index } : { row: index, column: chosen.column };
}

/**
 * @param {Place} place
 * @param {number} patch
 * @returns {Partial<import("../core/state.js").State>}
 */
function chosenPatch(place, patch) {
  const { scene, panel } = place;
  const here = carried(panel.sheet, scene.main.sheet, patchCell(place, patch));
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
  const [rows, columns] = gridSeen(panel.sheet);
  const twice = isSeenTwice(panel.sheet);
  const { matrix: m, focus, sheet } = panel;
  const patch = twice ? patchesOf(sheet.queries).indexOf(m?.rows[focus.row]?.positions[0] ?? -1) : patchInFocus(panel);
  if (key === "Escape") {
    const none = twice ? {} : sideSeen(sheet) === "columns" ? { column: -1 } : { row: -1 };
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
