import { KINDS } from "./kinds.js";

/**
 * What the visitor is looking at, kept in the script so that no choice waits for Python, and mirrored in the address.
 *
 * @typedef {{row: number, column: number}} Cell
 *
 * @typedef {object} State
 * @property {string} map the kind of map: "cross", "encoder", "decoder" or a method, as in `kinds.js`
 * @property {string} head the chosen view's name: "2.1", "2.mean", "mean", "max"
 * @property {string} units "pieces", "words" or "sentences"
 * @property {string} rows "predicted" or "input"
 * @property {boolean} special
 * @property {string} scale "word", "head" or "common"; "" is what the kind of map begins with
 * @property {string} colours
 * @property {string} by what the overview is coloured by: the name of a grid, or "" for the weights
 * @property {boolean} sorted whether its heads are in the order of that grid, the largest first
 * @property {boolean} links whether linked words are framed on the map, where an alignment links some
 * @property {string} pinned a view's name, its kind and a full stop before it where that is not "cross", or ""
 * @property {string} shows "both" maps that are compared, or their "difference"
 * @property {string} other the view of the second trace, "" where it is the same one
 * @property {boolean} lines whether all lines are drawn
 * @property {number} threshold of the lines, 0 … 1
 * @property {number} row the chosen row of the shown matrix, -1 for none
 * @property {number} column the chosen column, -1 for none
 * @property {Cell & {kind: string} | null} hover a cell of the map of that kind
 * @property {Cell | null} checked the cell whose arithmetic is shown
 * @property {number} from what of the sound is in view, in seconds; all of it where `to` is not behind it
 * @property {number} to
 * @property {boolean} crop whether silence before and behind the speech is cropped
 * @property {boolean} times whether words and the way of their alignment are drawn over a map
 * @property {number} noise the denoising step whose maps and picture are shown, from 0; -1 for all together
 * @property {string} overlay how weights lie over a picture: "smooth" or "patches"
 * @property {number} opacity of the weights over a picture, 0 … 1
 * @property {number[] | null} several the words whose regions are shown in colours of their own, null for none
 * @property {import("../picture/picturepointer.js").Box | null} box drawn on the picture
 * @property {number} step how many tokens are written while stepping, -1 when all are
 */

/** @type {State} */
const DEFAULTS = {
  map: "cross",
  head: "1.1",
  units: "pieces",
  rows: "predicted",
  special: true,
  scale: "",
  colours: "magma",
  by: "",
  sorted: false,
  links: true,
  pinned: "",
  shows: "both",
  other: "",
  lines: false,
  threshold: 0.3,
  row: 0,
  column: -1,
  hover: null,
  checked: null,
  from: -1,
  to: -1,
  crop: false,
  times: true,
  noise: -1,
  overlay: "smooth",
  opacity: 0.75,
  several: null,
  box: null,
  step: -1,
};

// Where rows and columns mean something else, what was chosen by number no longer holds.
export const NOTHING_CHOSEN = { row: 0, column: -1, hover: null, checked: null, several: null, step: -1 };

// What an address says, and the words it may say it in; the first kind, cross-attention, is meant where none is named.
// Sentence, model and the rest of the address belong to the page.
/** @type {Record<string, RegExp>} */
const IN_ADDRESS = {
  map: new RegExp(`^(${Object.keys(KINDS).join("|")})$`),
  head: /^(\d+\.(\d+|mean)|mean|max)$/,
  units: /^(pieces|words|sentences)$/,
  rows: /^(predicted|input)$/,
  special: /^(true|false)$/,
  scale: /^(word|head|common)$/,
  colours: /^(magma|viridis|cividis|grey)$/,
  by: /^[a-z0-9-]{1,60}$/,
  sorted: /^(true|false)$/,
  links: /^(true|false)$/,
  pinned: new RegExp(`^((${Object.keys(KINDS).slice(1).join("|")})\\.)?(\\d+\\.(\\d+|mean)|mean|max)$`),
  shows: /^(both|difference)$/,
  other: /^(\d+\.(\d+|mean)|mean|max)$/,
  row: /^\d+$/,
  column: /^\d+$/,
  noise: /^\d+$/,
  overlay: /^(smooth|patches)$/,
};

const BOOLEANS = ["special", "sorted", "links"];
const NUMBERS = ["row", "column", "noise"];

/**
 * @param {Record<string, string | number>} chosen
 * @returns {State}
 */
export function initialState(chosen) {
  return { ...DEFAULTS, ...wellFormed(chosen) };
}

/**
 * The part of a state that is well formed; anything else in an address is ignored.
 *
 * @param {Record<string, string | number>} chosen
 * @returns {Partial<State>}
 */
export function wellFormed(chosen) {
  /** @type {Record<string, string | number | boolean>} */
  const state = {};
  for (const [name, pattern] of Object.entries(IN_ADDRESS)) {
    const text = String(chosen[name] ?? "");
    if (!pattern.test(text)) continue;
    if (BOOLEANS.includes(name)) state[name] = text === "true";
    else if (NUMBERS.includes(name)) state[name] = Number(text);
    else state[name] = text;
  }
  return state;
}

/**
 * The name of a view among all kinds: that of cross-attention is the view's own.
 *
 * @param {string} kind
 * @param {string} view
 */
export function fullName(kind, view) {
  return kind === "cross" ? view : `${kind}.${view}`;
}

/**
 * @param {string} name
 * @returns {[string, string]} the kind and the view's own name
 */
export function splitName(name) {
  const [kind] = name.match(/^[a-z-]+(?=\.)/) ?? [""];
  return kind ? [kind, name.slice(kind.length + 1)] : ["cross", name];
}

export function fromAddress() {
  return wellFormed(Object.fromEntries(new URLSearchParams(window.location.search)));
}

/**
 * What an address says of a state: head and row always, for not every trace begins with the same, and what else differs
 * from the defaults.
 *
 * @param {State} state
 * @returns {Record<string, string>}
 */
export function inAddress(state) {
  /** @type {Record<string, string>} */
  const parts = {};
  for (const name of Object.keys(IN_ADDRESS)) {
    const value = state[/** @type {keyof State} */ (name)];
    const unsaid = value === DEFAULTS[/** @type {keyof State} */ (name)] && name !== "head" && name !== "row";
    if (!unsaid && value !== -1) parts[name] = String(value);
  }
  return parts;
}

/**
 * The same with the defaults of what it does not say, among all that an address can say.
 *
 * @param {Partial<State>} said
 * @returns {Partial<State>}
 */
export function addressable(said) {
  const names = /** @type {(keyof State)[]} */ (Object.keys(IN_ADDRESS));
  return { ...Object.fromEntries(names.map((name) => [name, DEFAULTS[name]])), ...said };
}

// A step in the history for each of these that is chosen; of rows, columns and steps that one runs through there is none.
export const ACTS = [
  "map",
  "head",
  "units",
  "rows",
  "special",
  "scale",
  "colours",
  "by",
  "sorted",
  "links",
  "pinned",
  "shows",
  "other",
  "overlay",
];

/**
 * Makes the address say what is looked at: as a step in the browser's history, where that is another map than before.
 *
 * @param {Record<string, string>} now what an address says of it
 * @param {Record<string, string>} before
 */
export function toAddress(now, before) {
  const isAct = ACTS.some((name) => now[name] !== before[name]);
  try {
    // Of the first look the address may say nothing yet, and a step back is to lead there.
    if (isAct) window.history.replaceState(window.history.state, "", addressOf(before));
    window.history[isAct ? "pushState" : "replaceState"](window.history.state, "", addressOf(now));
  } catch {
    // A page opened from a file, or inside a frame without an address, has nothing to write to.
  }
}

/** @param {Record<string, string>} said */
function addressOf(said) {
  const address = new URLSearchParams(window.location.search);
  for (const name of Object.keys(IN_ADDRESS)) address.delete(name);
  for (const [name, value] of Object.entries(said)) address.set(name, value);
  const search = address.toString();
  return (search ? `?${search}` : window.location.pathname) + window.location.hash;
}
