import { readingOf } from "../core/matrix.js";
import { frameAt, shortest, wordOfRow } from "./sound.js";

/**
 * Where tokens and time meet: when a token was spoken, and when a row listened.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("./sound.js").Stretch} Stretch
 */

// The stretch that is named for a row is the shortest one that holds this share of what the row puts on the sound.
export const HELD = 0.5;

/**
 * When tokens were spoken: from the beginning of their first word to the end of their last.
 *
 * @param {Scene} scene
 * @param {number[]} positions of the rows of the cross or decoder map, as they are named now
 * @returns {Stretch | null} null where they belong to no word
 */
export function spokenAt({ trace, state }, positions) {
  const { sound } = trace;
  if (!sound) return null;
  const shift = readingOf(trace.sheets[0], state);
  const words = positions.flatMap((position) => wordOfRow(sound, position - shift) ?? []);
  if (!words.length) return null;
  return { from: Math.min(...words.map(({ start }) => start)), to: Math.max(...words.map(({ end }) => end)) };
}

/**
 * When a row of a map over sound listened.
 *
 * @param {Panel} panel
 * @param {number} row
 * @returns {(Stretch & {weight: number}) | null} with the weight that is held; null where there is none
 */
export function listenedAt({ sheet, matrix: m }, row) {
  const { edges } = sheet.keys;
  if (!m || !edges || row < 0) return null;
  const weights = m.values.subarray(row * m.columns.length, (row + 1) * m.columns.length);
  const found = shortest(weights, HELD);
  if (!found) return null;
  let weight = 0;
  for (let f = found[0]; f <= found[1]; f++) weight += weights[f];
  return { from: edges[found[0]], to: edges[found[1] + 1], weight };
}

/**
 * The column of a panel's map at a time, -1 where its columns are no frames or the time is outside.
 *
 * @param {Panel} panel
 * @param {number} time
 */
export function columnAt({ sheet }, time) {
  const { edges } = sheet.keys;
  if (!edges || time < edges[0] || time >= edges[edges.length - 1]) return -1;
  return frameAt(edges, time);
}

/**
 * Whether the columns of a panel's map are frames of sound.
 *
 * @param {Panel} panel
 */
export function isHeard({ sheet }) {
  return Boolean(sheet.keys.edges);
}
