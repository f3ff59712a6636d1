import { make, rem } from "./dom.js";

/**
 * Lines beside panes: dragged, or moved with the arrow keys, they make the pane larger. A double click or Home gives it
 * back the size that follows from the window. What was chosen holds for this visit.
 *
 * @typedef {"width" | "height"} Side
 */

const GRIP_STEP = 32; // pixels that an arrow key moves, at a font size of 16
const SMALLEST_PANE = 160;
const KEPT_AS = "xv-pane-";

/**
 * @param {Side} side that is changed
 * @param {string} label
 * @param {() => HTMLElement} pane
 * @param {() => void} changed
 */
export function makeGrip(side, label, pane, changed) {
  const element = make("div", {
    class: `xv-grip xv-grip-${side}`,
    role: "separator",
    tabindex: 0,
    "aria-label": label,
  });
  element.setAttribute("aria-orientation", side === "width" ? "vertical" : "horizontal");
  element.dataset.help = `${label}: drag, or use the arrow keys; a double click gives back the usual size`;
  let size = kept(side);
  /** @type {{at: number, from: number} | null} */
  let drag = null;

  const place = (/** @type {PointerEvent} */ event) => (side === "width" ? event.clientX : event.clientY);
  const now = () => pane().getBoundingClientRect()[side];
  const set = (/** @type {number} */ wanted) => {
    size = wanted && Math.max(Math.round(wanted), SMALLEST_PANE);
    keep(side, size);
    changed();
  };
  element.addEventListener("pointerdown", (event) => {
    drag = { at: place(event), from: now() };
    element.setPointerCapture(event.pointerId);
    event.preventDefault();
    element.focus({ preventScroll: true });
  });
  element.addEventListener("pointermove", (event) => {
    if (drag) set(drag.from + place(event) - drag.at);
  });
  for (const name of ["pointerup", "pointercancel"]) {
    element.addEventListener(name, () => {
      drag = null;
    });
  }
  element.addEventListener("dblclick", () => set(0));
  element.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (by === undefined && event.key !== "Home") return;
    event.preventDefault();
    set(by ? now() + by * GRIP_STEP * rem() : 0);
  });
  return {
    element,
    /** In pixels, 0 where it follows from the window. */
    get size() {
      return size;
    },
    /** Says how large the pane is. */
    paint() {
      const least = Math.min(SMALLEST_PANE, Math.round(now()));
      for (const [name, value] of Object.entries({ min: least, max: 4000, now: Math.round(now()) })) {
        element.setAttribute(`aria-value${name}`, String(value));
      }
    },
  };
}

/** @param {Side} side */
function kept(side) {
  try {
    return Number(window.sessionStorage.getItem(KEPT_AS + side)) || 0;
  } catch {
    return 0; // a page without an address keeps nothing
  }
}

/**
 * @param {Side} side
 * @param {number} size
 */
function keep(side, size) {
  try {
    window.sessionStorage.setItem(KEPT_AS + side, String(size));
  } catch {
    // as above
  }
}

const PAPER = 680; // pixels between the margins of A4 or Letter, upright

/**
 * Makes a wide element small enough for paper while the page is printed, so that no column is cut. Called again to end it.
 *
 * @param {HTMLElement} element
 */
export function fitToPaper(element) {
  const shrink = () => {
    const wide = Math.max(...[element, ...element.querySelectorAll(".xv-scroll")].map((each) => each.scrollWidth));
    element.style.setProperty("zoom", String(Math.min(PAPER / wide, 1)));
  };
  const restore = () => element.style.removeProperty("zoom");
  window.addEventListener("beforeprint", shrink);
  window.addEventListener("afterprint", restore);
  return () => {
    window.removeEventListener("beforeprint", shrink);
    window.removeEventListener("afterprint", restore);
  };
}
