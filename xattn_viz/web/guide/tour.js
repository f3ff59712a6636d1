import { make } from "../explorer/core/dom.js";
import { seen } from "./widgets.js";

/**
 * A tour of five stops: what is typed, the map, the heads, a cell, the steps. It leaves the page usable meanwhile, comes
 * by itself at the first visit, and never again.
 *
 * @typedef {object} Stop
 * @property {string} at a selector of what is shown
 * @property {string} title
 * @property {string} text
 *
 * @typedef {ReturnType<typeof makeTour>} Tour
 */

/** @type {Record<string, [string, string]>} what one gives and what is made of it, by page */
const GIVEN = {
  text: ["Type a sentence", "Type any sentence here and press Enter. The model translates it, word by word."],
  audio: ["Give a sound", "Choose a clip, speak, or upload a file. The model writes down what it hears, word by word."],
  image: ["Give a picture", "Choose a scene, or draw one of your own. The model writes a caption, word by word."],
  prompt: ["Say what to draw", "Type a prompt and press Enter. The model draws it out of noise, step by step."],
};
/** @type {Record<string, string>} */
const FIELDS = { audio: ".st-key-controls", image: ".st-key-controls" };

/**
 * The stops of a page, as many as it has places for.
 *
 * @param {string} page
 * @returns {Stop[]}
 */
function stopsOf(page) {
  const [title, text] = GIVEN[page] ?? GIVEN.text;
  const isSound = page === "audio";
  const isDrawing = page === "prompt";
  const map =
    page === "image" || isDrawing
      ? "The map lies over the picture: bright is where the word that you choose looked, or was read."
      : isSound
        ? "Each row is a word that is written, from left to right runs the sound. Bright is when the model listened."
        : "Each row is a word that is written, each column a word that is read. Bright is where the model looked.";
  return [
    { at: FIELDS[page] ?? ".st-key-text", title, text },
    { at: '[aria-label="Chosen map"]', title: "The map", text: map },
    {
      at: ".xv-heads",
      title: "The heads",
      text: "A model reads with many heads at once, and each has habits of its own. Every small map is one: choose it.",
    },
    {
      at: '[aria-label="Chosen map"] .xv-stage',
      title: "A cell",
      text: "Point at a cell and its weight is said in words. Click it to see the arithmetic behind it.",
    },
    {
      at: isDrawing ? ".xv-noise" : ".xv-stepping",
      title: "Step by step",
      text: isDrawing
        ? "Move through the steps in which the picture came out of the noise, each with its own map."
        : "Step through the output as it was written, and see what else the model could have written.",
    },
  ];
}

const KEPT = "xattn_viz.tour"; // in the browser’s own storage

/** Whether this browser has shown the tour; so it is said too where it can keep nothing. */
export function wasSeen() {
  try {
    return window.localStorage.getItem(KEPT) !== null;
  } catch {
    return true;
  }
}

function keepSeen() {
  try {
    window.localStorage.setItem(KEPT, "seen");
  } catch {
    // The tour comes only where that can be kept.
  }
}

const APART_FROM_STOP = 10; // pixels
const FOLLOW = 200; // milliseconds between two looks where a stop is

/** @param {string} page */
export function makeTour(page) {
  const ring = make("div", { class: "xv-ring", popover: "manual", "aria-hidden": "true" });
  const title = make("h2", { id: "xv-tour-title" });
  const text = make("p", { "aria-live": "polite" });
  const place = make("span", { class: "xv-tour-place" });
  const [back, next, skip] = ["Back", "Next", "Skip the tour"].map((face) =>
    make("button", { type: "button", class: "xv-button" }, face),
  );
  next.classList.add("xv-forward");
  const buttons = make("div", { class: "xv-tour-buttons" }, place, skip, back, next);
  const card = make("div", { class: "xv-tour", popover: "manual", role: "dialog", "aria-labelledby": "xv-tour-title" });
  card.append(title, text, buttons);
  const element = make("div", {}, ring, card);
  /** @type {Stop[]} */
  let stops = [];
  let at = 0;
  /** @type {number | undefined} */
  let timer;

  const target = () => seen(stops[at]?.at ?? "")[0];
  const there = () => stopsOf(page).filter((stop) => seen(stop.at).length > 0);

  function end() {
    window.clearInterval(timer);
    for (const part of [ring, card]) if (part.isConnected && part.matches(":popover-open")) part.hidePopover();
  }

  function begin() {
    stops = there();
    if (!stops.length) return;
    keepSeen();
    for (const part of [ring, card]) if (!part.matches(":popover-open")) part.showPopover();
    window.clearInterval(timer);
    timer = window.setInterval(lay, FOLLOW);
    go(0);
  }

  /** @param {number} stop */
  function go(stop) {
    if (stop >= stops.length) return end();
    at = Math.max(stop, 0);
    title.textContent = stops[at].title;
    text.textContent = stops[at].text;
    place.textContent = `${at + 1} of ${stops.length}`;
    back.disabled = at === 0;
    skip.hidden = at === stops.length - 1;
    next.textContent = at === stops.length - 1 ? "Done" : "Next";
    const box = target()?.getBoundingClientRect();
    if (box && (box.top < 0 || box.bottom > window.innerHeight)) target()?.scrollIntoView({ block: "nearest" });
    return lay();
  }

  /** The ring around what is shown, the card below or above it, or where there is no room inside of it. */
  function lay() {
    const box = target()?.getBoundingClientRect();
    if (!box) return;
    const [wide, high] = [window.innerWidth, window.innerHeight];
    const [left, top] = [Math.max(box.left - 4, 0), Math.max(box.top - 4, 0)];
    Object.assign(ring.style, { left: `${left}px`, top: `${top}px` });
    ring.style.width = `${Math.min(box.right + 4, wide) - left}px`;
    ring.style.height = `${Math.min(box.bottom + 4, high) - top}px`;
    const own = card.getBoundingClientRect();
    const below = box.bottom + APART_FROM_STOP;
    const above = box.top - own.height - APART_FROM_STOP;
    const y = below + own.height < high ? below : above > 0 ? above : high - own.height - APART_FROM_STOP;
    card.style.top = `${Math.max(y, 0)}px`;
    const x = below + own.height < high || above > 0 ? box.left : box.right - own.width - APART_FROM_STOP;
    card.style.left = `${Math.max(Math.min(x, wide - own.width - APART_FROM_STOP), APART_FROM_STOP)}px`;
  }

  back.addEventListener("click", () => go(at - 1));
  next.addEventListener("click", () => go(at + 1));
  skip.addEventListener("click", end);
  card.addEventListener("keydown", (event) => {
    if (event.key === "Escape") end();
    else if (event.key === "ArrowRight") go(Math.min(at + 1, stops.length - 1));
    else if (event.key === "ArrowLeft") go(at - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return {
    element,
    /** Begins at the first stop; from a button the keyboard goes along. */
    begin(focus = false) {
      begin();
      if (focus) next.focus();
    },
    end,
    isPossible: () =>
      GIVEN[page] !== undefined && seen(".xv[data-painted] .xv-stage").length > 0 && !seen(".xv-talking").length,
  };
}
