import { button, make } from "../core/dom.js";
import { unpack } from "../core/payload.js";

/**
 * A story: slides in order, each a view of a trace with a caption. Several slides may show the same trace.
 *
 * @typedef {import("../core/payload.js").Trace} Trace
 *
 * @typedef {object} Slide
 * @property {number} [part] which trace it shows, where it is here
 * @property {Record<string, string>} [select] the view, as an address says it
 * @property {string} [trace] which trace that is, in every bundle
 * @property {string} [caption]
 * @property {string} [missing] why nothing is shown
 * @property {boolean} [awaited] whether the page can be asked for it
 *
 * @typedef {object} Bundle
 * @property {string} story its title
 * @property {Slide[]} slides
 * @property {[number, number][]} parts where each trace lies in the data
 * @property {boolean} talks whether it begins in talk mode
 * @property {Uint8Array} data
 */

const BEGINNING = '{"story":'; // of a header, before it is read as a whole

/**
 * The story that packed bytes hold, or null where they hold one trace.
 *
 * @param {Uint8Array} bytes
 * @returns {Bundle | null}
 */
export function openStory(bytes) {
  const text = (/** @type {number} */ length) => new TextDecoder().decode(bytes.subarray(4, 4 + length));
  if (text(BEGINNING.length) !== BEGINNING) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return { ...JSON.parse(text(length)), data: bytes.subarray(4 + length) };
}

/**
 * @param {(trace: Trace | null, select: Record<string, string>) => void} show a trace and its view, or nothing
 */
export function makeStory(show) {
  const title = make("strong", { class: "xv-story-title" });
  const back = button("Slide before", "◀");
  const place = make("span", { class: "xv-story-place" });
  const next = button("Next slide", "▶");
  const bar = make("div", { class: "xv-story-bar", role: "group", "aria-label": "Slides" }, back, place, next, title);
  const caption = make("p", { class: "xv-story-caption", dir: "auto", "aria-live": "polite" });
  const missing = make("p", { class: "xv-story-missing", role: "status" });
  const element = make("section", { class: "xv-story", "aria-label": "Story" }, bar, caption, missing);
  element.hidden = true;
  /** @type {Bundle | null} */
  let bundle = null;
  /** @type {Map<number, Trace>} */
  let traces = new Map();
  let at = 0;
  let isLeft = false; // for another page, or another story
  let ask = /** @type {((number: number) => void) | null} */ (null);
  /** @type {Set<number>} */
  const asked = new Set(); // for which slides, since one came

  back.addEventListener("click", () => turn(-1));
  next.addEventListener("click", () => turn(1));

  /** @param {boolean} isKept whether the explorer shows the slide already */
  function paint(isKept = false) {
    if (!bundle) return;
    const slide = bundle.slides[at];
    title.textContent = bundle.story;
    place.textContent = `${at + 1} of ${bundle.slides.length}`;
    back.disabled = at === 0;
    next.disabled = at === bundle.slides.length - 1;
    caption.textContent = slide.caption ?? "";
    caption.hidden = !slide.caption;
    missing.textContent = slide.missing ?? "";
    missing.hidden = !slide.missing;
    element.dataset.slide = String(at + 1);
    if (slide.awaited && !asked.has(at)) {
      asked.add(at);
      ask?.(at + 1);
    }
    if (!isKept) show(traceOf(bundle, slide), slide.select ?? {});
  }

  /**
   * @param {Bundle} of
   * @param {Slide} slide
   */
  function traceOf(of, { part }) {
    if (part === undefined) return null;
    let trace = traces.get(part);
    if (!trace) {
      const [begin, end] = of.parts[part];
      trace = unpack(of.data.subarray(begin, end));
      traces.set(part, trace);
    }
    return trace;
  }

  /**
   * @param {number} by slides forth or back; to the first or last one where it is endless
   * @returns {boolean} false where there is no story
   */
  function turn(by) {
    if (!bundle) return false;
    const to = Math.min(Math.max(at + by, 0), bundle.slides.length - 1);
    if (to === at) return true;
    at = to;
    isLeft = false;
    remember(at, storyName(bundle));
    paint();
    return true;
  }

  /**
   * The browser's Back and Forth turn slides, and Streamlit, which would begin the page anew, does not hear of it. What
   * is no slide of this story is the page's to find, and from then on the way back to one too: what is here may be about
   * to go.
   *
   * @param {PopStateEvent} event
   */
  function moved(event) {
    if (!bundle) return;
    isLeft ||= ask !== null && event.state?.story !== storyName(bundle);
    if (isLeft) return;
    event.stopImmediatePropagation();
    const to = Math.min(remembered() - 1, bundle.slides.length - 1);
    if (to === at) return;
    at = to;
    paint();
  }
  window.addEventListener("popstate", moved, true);

  return {
    element,
    turn,
    /**
     * Shows a story from the slide that the address names, or one that goes on where it was.
     *
     * @param {Bundle} fresh
     * @param {((number: number) => void) | null} asking asks the page for a slide that it can bring
     */
    open(fresh, asking) {
      const isSame = bundle !== null && storyName(bundle) === storyName(fresh);
      if (!isSame) at = Math.min(remembered() - 1, fresh.slides.length - 1);
      if (!isSame || bundle?.parts.length !== fresh.parts.length) asked.clear();
      // What the visitor does with a slide goes on while others come.
      const [before, now] = [bundle?.slides[at], fresh.slides[at]];
      const trace = before?.part === undefined ? undefined : traces.get(before.part);
      const isKept = isSame && trace !== undefined && now?.trace === before?.trace && sameView(before, now);
      traces = new Map(isKept && now?.part !== undefined ? [[now.part, trace]] : []);
      bundle = fresh;
      isLeft = false;
      ask = asking;
      element.hidden = false;
      paint(isKept);
    },
    close() {
      bundle = null;
      element.hidden = true;
    },
    get isOpen() {
      return bundle !== null;
    },
    leave() {
      window.removeEventListener("popstate", moved, true);
    },
  };
}

/**
 * What tells stories apart.
 *
 * @param {Bundle} bundle
 */
function storyName({ story, slides }) {
  return `${slides.length} ${story}`;
}

/**
 * @param {Slide | undefined} one
 * @param {Slide | undefined} other
 */
function sameView(one, other) {
  return JSON.stringify(one?.select) === JSON.stringify(other?.select);
}

/** The number of a slide in the address, from 1. */
function remembered() {
  const { search, hash } = window.location;
  const said = new URLSearchParams(search).get("slide") ?? new URLSearchParams(hash.slice(1)).get("slide");
  return Math.max(Number(said?.match(/^\d{1,3}$/)?.[0] ?? 1), 1);
}

/**
 * Makes the address say the slide, as a step in the browser's history: a reload comes back to it, and Back to the one
 * before.
 *
 * @param {number} at
 * @param {string} story
 */
function remember(at, story) {
  const address = new URL(window.location.href);
  address.searchParams.set("slide", String(at + 1));
  try {
    window.history.replaceState({ ...window.history.state, story }, "");
    window.history.pushState({ ...window.history.state, story }, "", address);
  } catch {
    window.location.hash = `slide=${at + 1}`; // some browsers let a page from a file change nothing else
  }
}
