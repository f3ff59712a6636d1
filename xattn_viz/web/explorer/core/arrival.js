import { patchSide, regionOf, regionWords } from "../picture/patches.js";
import { WHOLE_TIME } from "../sound/time.js";
import { makePanel } from "./matrix.js";
import { comparedPanels, sheetOf } from "./scene.js";
import { addressable, fromAddress, initialState, NOTHING_CHOSEN, wellFormed } from "./state.js";
import { groups, rowAxis } from "./units.js";

/**
 * What the visitor goes on looking at when a trace arrives.
 *
 * @typedef {import("./payload.js").Trace} Trace
 * @typedef {import("./state.js").State} State
 */

// What each trace's visitor was looking at, kept when the page is left and come back to.
/** @type {Map<string, State>} */
const states = new Map();
/** @type {State | null} */
let latest = null;
// How often another map was chosen on each page, by its path: the page says of how many it had heard.
/** @type {Map<string, number>} */
const counts = new Map();

/** The choices of another map on this page, in this document. */
export function choices() {
  return counts.get(window.location.pathname) ?? 0;
}

/** @param {number} count the least that there were */
export function countChoices(count) {
  counts.set(window.location.pathname, Math.max(count, choices()));
}

/**
 * Whether the visitor chose something on this page that it had not heard of when it asked for a trace: of the trace
 * before, or of this very one before another page was shown.
 *
 * @param {Trace | null} before
 * @param {Trace} fresh
 */
export function hasChosenSince(before, fresh) {
  return choices() > Number(fresh.select.choices ?? 0) && (before !== null || states.has(fresh.id));
}

/**
 * @param {Trace} trace
 * @param {State} state
 */
export function keepState(trace, state) {
  if (!trace.growing) states.set(trace.id, state);
  latest = state;
}

/**
 * Whether a trace is the one before with more written: everything that was chosen there holds here too.
 *
 * @param {Trace | null} before
 * @param {Trace} fresh
 */
export function continues(before, fresh) {
  const [old, now] = [before, fresh].map((trace) => trace?.sheets[0]);
  if (!before || !old || !now || !same(old.keys.labels, now.keys.labels)) return false;
  // All pictures have the same patches: only a caption that is being written goes on.
  if (now.keys.grid && !before.growing) return false;
  const written = old.queries.labels;
  // The last token of an output that grows may be half a character, which the next one completes.
  const settled = before.growing ? written.slice(0, -1) : written;
  return same(settled, now.queries.labels.slice(0, settled.length));
}

/**
 * The view of a trace that arrives after another one, or as the first.
 *
 * In the app the trace comes with it, and only what no address says stays; where the visitor chose something since the
 * trace was asked for, that stays. Elsewhere a first look follows the address, a later trace keeps the view of the one
 * before, unless it comes with one of its own; one that was left is as it was.
 *
 * @param {Trace | null} before
 * @param {Trace} fresh
 * @param {State} state
 * @param {boolean} inApp
 * @param {boolean} hasChosen whether the visitor chose something since the trace was asked for
 * @returns {State}
 */
export function onArrival(before, fresh, state, inApp, hasChosen) {
  if (before && continues(before, fresh) && (before.growing || !inApp)) {
    const following = before.growing && state.row === lastRow(before, state);
    return following ? { ...state, row: lastRow(fresh, state) } : state;
  }
  const left = before || (inApp && !hasChosen) ? undefined : states.get(fresh.id);
  if (left) return { ...left, hover: null };
  const wanted = hasChosen ? {} : { ...wellFormed(fresh.select), ...(latest || inApp ? {} : fromAddress()) };
  const kept = latest ?? initialState({});
  const view = { ...kept, ...NOTHING_CHOSEN, ...WHOLE_TIME, ...(inApp && !hasChosen ? addressable(wanted) : wanted) };
  if (wanted.column !== undefined && wanted.row === undefined) view.row = -1;
  if (fresh.sound && wanted.row === undefined) view.row = firstWritten(fresh, view);
  if (fresh.picture) {
    const first = { ...firstPictureView(before, fresh, view, wanted), box: null };
    return fresh.growing && first.row >= 0 ? { ...first, row: lastRow(fresh, first) } : first;
  }
  return fresh.growing ? { ...view, row: lastRow(fresh, view) } : view;
}

/**
 * The first row that is text: a transcript begins with tokens that only say what is to be written.
 *
 * @param {Trace} trace
 * @param {State} state
 */
function firstWritten(trace, state) {
  const shown = groups(rowAxis(sheetOf(trace, state.map), state), state.units);
  const rows = shown.filter((group) => state.special || !group.special);
  return Math.max(
    rows.findIndex((group) => !group.special),
    0,
  );
}

/**
 * The row of the token written last, by what rows stand for now.
 *
 * @param {Trace} trace
 * @param {State} state
 */
export function lastRow(trace, state) {
  const axis = rowAxis(sheetOf(trace, state.map), state);
  return groups(axis, state.units).filter((group) => state.special || !group.special).length - 1;
}

/**
 * @param {string[]} some
 * @param {string[]} others
 */
function same(some, others) {
  return some.length === others.length && some.every((label, i) => label === others[i]);
}

/**
 * What a picture is looked at with at first: all heads together, and the word that has most of its weight in one place.
 */

/**
 * @param {Trace | null} before
 * @param {Trace} fresh
 * @param {State} state
 * @param {Partial<State>} wanted what the address or the page says
 * @returns {State}
 */
export function firstPictureView(before, fresh, state, wanted) {
  const view = { ...state };
  if (!before?.picture && wanted.head === undefined) view.head = "mean";
  if (wanted.row !== undefined || wanted.column !== undefined) return view;
  const sheet = sheetOf(fresh, view.map, view.noise);
  const side = patchSide(sheet);
  if (!side) return view;
  const alone = makePanel(sheet, sheet.views.find(({ name }) => name === view.head) ?? sheet.views[0], view);
  const theirs = fresh.beside?.sheets.find(({ kind }) => kind === sheet.kind);
  const [panel, second] = theirs ? comparedPanels(fresh, alone, theirs, view) : [alone, alone];
  const others = regionWords(second); // of two that are compared, a word that both have
  let [best, most] = [0, -1];
  regionWords(panel).forEach((word, index) => {
    const isInBoth = others.length === 0 || others[index]?.positions.length;
    const peak = (isInBoth && !word.special && regionOf(sheet, panel.view, word)?.largest) || 0;
    if (peak > most) [best, most] = [index, peak];
  });
  return side === "columns" ? { ...view, row: best, column: -1 } : { ...view, row: -1, column: best };
}
