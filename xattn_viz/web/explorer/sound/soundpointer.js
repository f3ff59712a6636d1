import { cellIn } from "../core/kinds.js";
import { columnAt, frameAt } from "./sound.js";
import { moved, WHOLE_TIME, wholeOf, zoomed } from "./time.js";

/**
 * What pointer, wheel and keys do on a map over sound: hover, choose, play from here, zoom and move in time.
 *
 * @typedef {import("./sound.js").Stretch} Stretch
 *
 * @typedef {{scene: import("../core/scene.js").Scene, panel: import("../core/scene.js").Panel,
 *   fit: import("./soundmap.js").SoundGrid}} Place
 */

const STILL = 4; // pixels that a click may move
const WHEEL = 0.002; // of a doubling, a pixel of the wheel
const KEY_STEP = 1.5; // of a key

/**
 * @param {{stage: HTMLElement, time: HTMLElement, ruler: HTMLElement}} parts
 * @param {() => Place | null} placing
 * @param {import("../core/scene.js").Change} change
 * @param {() => import("./player.js").Player} playing
 */
export function followPointer({ stage, time, ruler }, placing, change, playing) {
  /** @type {{x: number, range: Stretch, moved: boolean} | null} */
  let drag = null;
  // What is in view is said in seconds of the first sound, what the pointer is at in those of the map's own.
  const timeAt = (
    /** @type {MouseEvent} */ event,
    /** @type {Place} */ { panel, fit },
    range = /** @type {Stretch} */ (panel.range),
  ) => {
    const share = (event.clientX - stage.getBoundingClientRect().left) / fit.wide;
    return range.from + Math.min(Math.max(share, 0), 1) * (range.to - range.from);
  };
  const whole = (/** @type {Place} */ { scene }) =>
    wholeOf(/** @type {import("./sound.js").Sound} */ (scene.trace.sound), scene.state);

  for (const part of [stage, time, ruler]) {
    part.addEventListener("pointermove", (event) => {
      const place = placing();
      if (!place) return;
      if (drag && (event.buttons & 1) === 1) {
        const by = event.clientX - drag.x;
        drag.moved ||= Math.abs(by) > STILL;
        const perPixel = (drag.range.to - drag.range.from) / place.fit.wide;
        if (drag.moved) change({ ...moved(drag.range, whole(place), -by * perPixel), hover: null });
        return;
      }
      const column = columnAt(place.panel, timeAt(event, place));
      const row = part === stage ? rowAt(event, stage, place) : -1;
      const kind = place.panel.sheet.kind;
      const { hover } = place.scene.state;
      if (hover?.row !== row || hover?.column !== column || hover?.kind !== kind)
        change({ hover: { row, column, kind } });
    });
    part.addEventListener("pointerleave", () => change({ hover: null }));
    part.addEventListener("pointerdown", (event) => {
      const range = placing()?.scene.range;
      if (range && event.button === 0) drag = { x: event.clientX, range, moved: false };
    });
    part.addEventListener("click", (event) => {
      const place = placing();
      const dragged = drag?.moved;
      drag = null;
      if (!place || dragged) return;
      const at = timeAt(event, place);
      playing().seek(at);
      stage.focus({ preventScroll: true }); // for the keys, the space bar among them
      if (part !== stage) return;
      const cell = { row: rowAt(event, stage, place), column: columnAt(place.panel, at) };
      const here = cellIn(place.panel.sheet, place.scene.main.sheet, cell);
      change({ ...here, checked: here.row >= 0 && here.column >= 0 ? here : null, step: -1 });
    });
    part.addEventListener("dblclick", () => change(WHOLE_TIME));
    part.addEventListener(
      "wheel",
      (event) => {
        const place = placing();
        const range = place?.scene.range;
        if (!place || !range) return;
        const sideways = event.shiftKey ? event.deltaX || event.deltaY : event.deltaX;
        // Over the map the plain wheel scrolls the page, as it does everywhere; a pinch comes as a wheel with Ctrl.
        if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
          change({ ...moved(range, whole(place), (sideways * (range.to - range.from)) / place.fit.wide), hover: null });
        } else if (event.ctrlKey || part !== stage) {
          const next = zoomed(range, whole(place), 2 ** (-event.deltaY * WHEEL), timeAt(event, place, range));
          if (next === WHOLE_TIME && place.scene.state.to < 0) return; // all is in view: the page may scroll
          change(next);
        } else return;
        event.preventDefault();
      },
      { passive: false },
    );
  }
  stage.addEventListener("keydown", (event) => {
    const place = placing();
    if (!place || event.ctrlKey || event.metaKey || event.altKey) return;
    const done = keyed(event.key, event.shiftKey, place, whole(place));
    if (!done) return;
    event.preventDefault();
    change(done);
  });
}

/**
 * @param {MouseEvent} event
 * @param {HTMLElement} stage
 * @param {Place} place
 */
function rowAt(event, stage, { fit }) {
  const row = Math.floor((event.clientY - stage.getBoundingClientRect().top) / fit.cellHeight);
  return Math.min(Math.max(row, 0), fit.rows - 1);
}

/**
 * What a key on the map asks for.
 *
 * @param {string} key
 * @param {boolean} shift
 * @param {Place} place
 * @param {Stretch} whole
 * @returns {Partial<import("../core/state.js").State> | null}
 */
function keyed(key, shift, { scene, panel, fit }, whole) {
  const range = /** @type {Stretch} */ (scene.range);
  const own = /** @type {Stretch} */ (panel.range);
  const edges = /** @type {number[]} */ (panel.edges);
  const { row, column } = panel.focus;
  const about = column >= 0 ? edges[column] - own.from + range.from : (range.from + range.to) / 2;
  if (key === "+" || key === "=") return zoomed(range, whole, KEY_STEP, about);
  if (key === "-") return zoomed(range, whole, 1 / KEY_STEP, about);
  if (key === "0") return WHOLE_TIME;
  if (key === "Escape") return { column: -1, checked: null, hover: null };
  const cell = { row, column };
  if (key === "Enter")
    return row >= 0 && column >= 0 ? { ...cellIn(panel.sheet, scene.main.sheet, cell), checked: cell } : null;
  const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key] ?? [0, 0];
  if (!down && !right) return null;
  if (right && shift) return moved(range, whole, (right * (range.to - range.from)) / 4);
  const [first, last] = [frameAt(edges, own.from), frameAt(edges, own.to - 1e-6)];
  const next = {
    row: down ? Math.min(Math.max(row + (row < 0 ? 1 : down), 0), fit.rows - 1) : row,
    column: right ? Math.min(Math.max(column < 0 ? first : column + right, first), last) : column,
  };
  return { ...cellIn(panel.sheet, scene.main.sheet, next), hover: null, step: -1 };
}
