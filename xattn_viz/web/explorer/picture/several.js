import { isSeenTwice, sideSeen, wordInFocus } from "./seen.js";

/**
 * Several words over one picture, each with a colour of its own.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/state.js").State} State
 */

/**
 * Whether the words of a map can be compared: patches that read patches have no words.
 *
 * @param {Scene} scene
 */
export function canCompare({ main }) {
  return sideSeen(main.sheet) !== null && !isSeenTwice(main.sheet);
}

/**
 * What a click on a word changes: while words are compared, or with Ctrl or Shift, it takes part or leaves.
 *
 * @param {Scene | null} scene
 * @param {"row" | "column"} side
 * @param {number} index
 * @param {MouseEvent} event
 * @returns {Partial<State>}
 */
export function wordClicked(scene, side, index, event) {
  const chosen = { ...(side === "row" ? { row: index, column: -1 } : { row: -1, column: index }), checked: null };
  const mine = scene && (sideSeen(scene.main.sheet) === "columns" ? "row" : "column") === side;
  if (!scene || !mine || !canCompare(scene)) return { ...chosen, step: -1 };
  const wanted = scene.state.several !== null || event.ctrlKey || event.metaKey || event.shiftKey;
  if (!wanted) return { ...chosen, step: -1 };
  const { row, column } = scene.state;
  const before = scene.state.several ?? [side === "row" ? row : column].filter((word) => word >= 0);
  const several = before.includes(index) ? before.filter((word) => word !== index) : [...before, index];
  return { ...chosen, several, step: -1 };
}

/**
 * Begins or ends to compare words, with the one in focus.
 *
 * @param {Scene} scene
 * @returns {Partial<State>}
 */
export function comparingTurned({ main, state }) {
  if (state.several) return { several: null };
  const word = wordInFocus(main);
  return { several: word >= 0 ? [word] : [] };
}

/**
 * The words that are compared, for the side of the map that they are on.
 *
 * @param {Scene} scene
 * @param {"row" | "column"} side
 * @returns {number[]}
 */
export function severalOf({ main, state }, side) {
  const words = sideSeen(main.sheet) === "columns" ? "row" : "column";
  return words === side && state.several ? state.several : [];
}
