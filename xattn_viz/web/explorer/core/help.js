import { make } from "./dom.js";

/**
 * A line of help on whatever can be used: under the pointer, and where the keyboard is. Escape takes it away.
 *
 * @typedef {{element: HTMLElement | SVGElement, text: string}} Help a control and its line
 *
 * @typedef {(target: Element) => Help | null} HelpOf the help of the control that an element is in
 */

// The controls of the explorer that say no line of their own (`data-help`).
/** @type {[string, string][]} */
export const EXPLORER_HELP = [
  ['[aria-label="Layers and heads"]', "Each small map is one head, a reader with habits of its own: choose one."],
  [
    '[aria-label="Attention"]',
    "Which attention is shown: how what is written reads what was given (cross), or how a text reads itself.",
  ],
  ['[aria-label="Units"]', "What rows and columns stand for: the model’s own pieces of words, words, or sentences."],
  [
    '[aria-label="Rows are named for the token"]',
    "Whether a row has the name of the token that it writes, or of the one before, which is read at that moment.",
  ],
  [
    '[aria-label="Colour scale"]',
    "Where the colours end: at the largest weight of this map, or of all maps, so that heads can be compared.",
  ],
  [
    '[aria-label="What of two maps is shown"]',
    "Both maps side by side, or one of what the second has more (red) and less (blue).",
  ],
  ['[aria-label="Head of the second trace"]', "Which map of the second stands beside that of the first."],
  ['[aria-label="Colour map"]', "In which colours weights are shown. Grey and cividis suit every eye."],
  ['[aria-label="Lines above this weight"]', "Lines are drawn between words whose weight is above this number."],
  ['[aria-label="Weights over the picture"]', "Weights as smooth light, or patch by patch as the model has them."],
  ['[aria-label="Opacity of the weights"]', "How much of the picture shows through the weights."],
  [
    '[aria-label="Denoising step"]',
    "The picture and its maps after each step of the drawing; all together at the end.",
  ],
  ['[aria-label="Colour the overview by"]', "What the small maps show: weights, or a number about each head."],
  ['[aria-label="Place in the sound"]', "Click to hear from here; drag to look closer at a stretch."],
  ["details.xv-details > summary", "All weights of the chosen map as numbers, also for screen readers."],
];

// Tokens that stand for no word, by how they are written.
/** @type {[RegExp, string][]} */
const SPECIAL_HELP = [
  [/^(<\/s>|<\|endoftext\|>|<eos>|\[SEP\])$/, "The end mark. A head that has nothing to look for often rests on it."],
  [/^(<s>|<bos>|<\|startoftranscript\|>)$/, "The start mark, which stands before the first word."],
  [/^\[CLS\]$/, "It stands for the whole of what is read, not for a word or a place."],
  [/^<pad>$/, "It fills places that are left empty; some models begin with it."],
  [/^<unk>$/, "A piece of text that the model has no token for."],
  [/^<\|notimestamps\|>$/, "It tells the model to write words alone, without times between them."],
  [/^<\|no(captions|speech)\|>$/, "The model’s sign that nobody speaks."],
  [/^<\|transcribe\|>$/, "It tells the model to write what is said in the language that is spoken."],
  [/^<\|translate\|>$/, "It tells the model to write in English what is said."],
  [/^<\|\d+\.\d\d\|>$/, "A time in seconds, which the model writes among the words."],
  [/^(<\|[a-z]{2,3}\|>|__[a-z]{2,3}__|[a-z]{3}_[A-Z][a-z]{3})$/, "It tells the model which language this is."],
  [/^<extra_id_\d+>$/, "It stands for a gap that the model fills."],
];

/**
 * What a special token is for, in a sentence.
 *
 * @param {string} written
 */
export function helpOnSpecial(written) {
  const known = SPECIAL_HELP.find(([pattern]) => pattern.test(written.trim()));
  return known ? known[1] : "A token of the model’s own, which stands for no word.";
}

/**
 * The help of a control of the explorer.
 *
 * @type {HelpOf}
 */
export function helpInExplorer(target) {
  const own = target.closest("[data-help]");
  if (own instanceof HTMLElement) return { element: own, text: own.dataset.help ?? "" };
  for (const [selector, text] of EXPLORER_HELP) {
    const element = target.closest(selector);
    if (element instanceof HTMLElement) return { element, text };
  }
  return null;
}

const SOON = 350; // milliseconds under the pointer
const APART = 6; // pixels between a control and its help

/**
 * Shows the help of what is pointed at or has the keyboard, in an element of its own beside `place`.
 *
 * @param {HTMLElement | Document} root where it listens
 * @param {HTMLElement} place that holds it
 * @param {HelpOf} helpOf
 * @returns {() => void} what ends it
 */
export function followHelp(root, place, helpOf) {
  const tip = make("div", { class: "xv-help", role: "tooltip", popover: "manual" });
  place.append(tip);
  /** @type {number | undefined} */
  let timer;
  /** @type {HTMLElement | SVGElement | null} */
  let shown = null;
  const hide = () => {
    window.clearTimeout(timer);
    shown = null;
    if (tip.isConnected && tip.matches(":popover-open")) tip.hidePopover();
  };
  const show = (/** @type {Help} */ { element, text }) => {
    hide();
    if (!element.isConnected || !place.isConnected || !text) return;
    if (!tip.isConnected) place.append(tip); // what fills a place anew takes it away
    shown = element;
    tip.textContent = text;
    tip.showPopover();
    lay();
  };
  const lay = () => {
    if (!shown) return;
    const [at, own] = [shown, tip].map((each) => each.getBoundingClientRect());
    const isBelow = at.bottom + APART + own.height < window.innerHeight || at.top < own.height + APART;
    tip.style.top = `${isBelow ? at.bottom + APART : at.top - own.height - APART}px`;
    tip.style.left = `${Math.max(Math.min(at.left, window.innerWidth - own.width - APART), APART)}px`;
  };
  const helpAt = (/** @type {Event} */ event) => {
    const [target] = event.composedPath();
    return target instanceof Element ? helpOf(target) : null;
  };
  let isKeyed = false; // whether it was the keyboard that was used last
  const isAtKeys = () => isKeyed && Boolean(shown?.matches(":focus, :has(:focus)"));
  let pointer = "";
  const placeOf = (/** @type {Event} */ event) =>
    event instanceof PointerEvent ? `${event.screenX} ${event.screenY}` : "";
  const moved = (/** @type {Event} */ event) => {
    pointer = placeOf(event);
  };
  const over = (/** @type {Event} */ event) => {
    if (event.composedPath().includes(tip)) return; // it can be read with a magnifying glass
    if (isAtKeys() && placeOf(event) === pointer) return; // the page moved under a pointer that rests
    const found = helpAt(event);
    if (found && found.element === shown) return;
    hide();
    if (found) timer = window.setTimeout(() => show(found), SOON);
  };
  const focused = (/** @type {Event} */ event) => {
    const [target] = event.composedPath();
    const found = helpAt(event);
    if (!(target instanceof Element) || !found) return hide();
    if (found.text !== target.getAttribute("aria-label")) target.setAttribute("aria-description", found.text);
    return isKeyed || target.matches(":focus-visible") ? show(found) : hide();
  };
  const pressed = (/** @type {Event} */ event) => {
    if (!(event instanceof KeyboardEvent) || event.key === "Escape") hide();
  };
  /** @type {[string, (event: Event) => void][]} */
  const all = [
    ["pointerover", over],
    ["pointerleave", hide],
    ["focusin", focused],
    ["focusout", hide],
    ["pointerdown", hide],
    ["keydown", pressed],
  ];
  for (const [name, heard] of all) root.addEventListener(name, heard);
  // What the keyboard has come to may be scrolled into view by that very step.
  const scrolled = () => (isAtKeys() ? lay() : hide());
  const used = (/** @type {Event} */ { type }) => {
    isKeyed = type === "keydown";
  };
  for (const name of ["keydown", "pointerdown"]) window.addEventListener(name, used, true);
  window.addEventListener("pointermove", moved, { capture: true, passive: true });
  window.addEventListener("scroll", scrolled, { capture: true, passive: true });
  return () => {
    hide();
    for (const [name, heard] of all) root.removeEventListener(name, heard);
    for (const name of ["keydown", "pointerdown"]) window.removeEventListener(name, used, true);
    window.removeEventListener("pointermove", moved, { capture: true });
    window.removeEventListener("scroll", scrolled, { capture: true });
    tip.remove();
  };
}
