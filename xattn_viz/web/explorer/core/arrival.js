import { firstLook } from "../picture/firstlook.js";
import { WHOLE_TIME } from "../sound/time.js";
import { sheetOf } from "./scene.js";
import { AFRESH, fromAddress, initialState, understood } from "./state.js";
import { groups, rowAxis } from "./units.js";

/**
 * What the visitor goes on looking at when a trace arrives.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./payload.js").Trace} Trace
 */

// What each trace's visitor was looking at, kept when the page is left and come back to.
/** @type {Map<string, State>} */
const remembered = new Map();
/** @type {State | null} */
let latest = null;

/**
 * @param {Trace} trace
 * @param {State} state
 */
export function remember(trace, state) {
  if (!trace.growing) remembered.set(trace.id, state);
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
 * Back on a page that was left, the view is as it was. A first look follows the address; a later trace keeps the view
 * of the one before, unless it comes with one of its own.
 *
 * @param {Trace | null} before
 * @param {Trace} fresh
 * @param {State} state
 * @returns {State}
 */
export function onArrival(before, fresh, state) {
  if (before && continues(before, fresh)) {
    const following = before.growing && state.row === lastRow(before, state);
    return following ? { ...state, row: lastRow(fresh, state) } : state;
  }
  const left = before ? undefined : remembered.get(fresh.id);
  if (left) return { ...left, hover: null };
  const wanted = { ...understood(fresh.select), ...(latest ? {} : fromAddress()) };
  const view = { ...(latest ?? initialState({})), ...AFRESH, ...WHOLE_TIME, ...wanted };
  if (wanted.column !== undefined && wanted.row === undefined) view.row = -1;
  if (fresh.sound && wanted.row === undefined) view.row = firstWritten(fresh, view);
  if (fresh.picture) {
    const seen = { ...firstLook(before, fresh, view, wanted), box: null };
    return fresh.growing && seen.row >= 0 ? { ...seen, row: lastRow(fresh, seen) } : seen;
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
