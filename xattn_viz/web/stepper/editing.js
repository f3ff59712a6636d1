import { make } from "../explorer/core/dom.js";
import { figure } from "./figures.js";

/**
 * How a number of an input is changed: typed, stepped with the arrow keys, or dragged up and down.
 *
 * @typedef {(value: number) => void} Changed
 */

const STEP = 0.1;
const BIG_STEP = 1;
const DRAG_STEP = 0.02; // a pixel
const STILL = 4; // pixels: what moves less is a click

/**
 * A number as it is kept: two decimals, no minus zero, within the bound.
 *
 * @param {number} value
 * @param {number} largest
 */
export function keptNumber(value, largest) {
  return Math.round(Math.min(Math.max(value, -largest), largest) * 100) / 100 + 0;
}

/**
 * @param {string} text
 * @returns {number | null} null of what is no number, or not yet
 */
export function readNumber(text) {
  const plain = text.trim().replace("−", "-").replace(",", ".");
  return /^[-+]?(\d+\.?\d*|\.\d+)$/.test(plain) ? Number(plain) : null;
}

/**
 * Opens a field in a cell. What is typed counts at once, Enter closes, Escape takes it back.
 *
 * @param {HTMLElement} td
 * @param {{name: string, value: number, typed: string, largest: number, changed: Changed, settled: () => void}} options
 */
export function openEditor(td, { name, value, typed, largest, changed, settled }) {
  const input = make("input", { type: "text", inputmode: "decimal", "aria-label": name, autocomplete: "off" });
  input.value = typed || figure(value);
  let now = value;
  let open = true;
  const to = (/** @type {number} */ next) => {
    now = keptNumber(next, largest);
    changed(now);
  };
  const close = (/** @type {boolean} */ stay) => {
    if (!open) return;
    open = false;
    input.remove();
    td.textContent = figure(now);
    changed(now);
    settled();
    if (stay) td.focus();
  };
  input.addEventListener("input", () => {
    const read = readNumber(input.value);
    input.setAttribute("aria-invalid", String(read === null));
    if (read !== null) to(read);
  });
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (way) {
      to(now + way * (event.shiftKey ? BIG_STEP : STEP));
      input.value = figure(now);
    } else if (event.key === "Escape") {
      to(value);
      close(true);
    } else if (event.key === "Enter") close(true);
    else return;
    event.preventDefault();
  });
  input.addEventListener("pointerdown", (event) => event.stopPropagation());
  input.addEventListener("blur", () => close(false));
  td.replaceChildren(input);
  input.focus();
  if (typed) input.dispatchEvent(new Event("input"));
  else input.select();
}

/**
 * Follows a pressed pointer: a drag changes the number, a click is told.
 *
 * @param {HTMLElement} td
 * @param {PointerEvent} event
 * @param {{value: number, largest: number, changed: Changed, settled: () => void, clicked: () => void}} options
 */
export function followDrag(td, event, { value, largest, changed, settled, clicked }) {
  const begun = event.clientY;
  let dragged = false;
  td.setPointerCapture(event.pointerId);
  const moved = (/** @type {PointerEvent} */ { clientY }) => {
    dragged ||= Math.abs(clientY - begun) >= STILL;
    if (dragged) changed(keptNumber(value + (begun - clientY) * DRAG_STEP, largest));
  };
  const ended = (/** @type {PointerEvent} */ { type }) => {
    td.removeEventListener("pointermove", moved);
    for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) td.removeEventListener(name, ended);
    if (dragged) settled();
    else if (type === "pointerup") clicked();
  };
  td.addEventListener("pointermove", moved);
  for (const name of /** @type {const} */ (["pointerup", "pointercancel"])) td.addEventListener(name, ended);
}
