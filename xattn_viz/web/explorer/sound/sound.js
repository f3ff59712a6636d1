import { readingOf } from "../core/matrix.js";

/**
 * What was heard: its spectrogram or loudness, its words in time, the file to play. Times are seconds of the whole
 * recording.
 *
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {object} Picture
 * @property {Uint8Array} cells [band, frame], the lowest band first
 * @property {number} bands
 * @property {number} frames
 * @property {number} seconds how long a frame lasts
 *
 * @typedef {object} SpokenWord
 * @property {string} text
 * @property {number} start
 * @property {number} end
 * @property {number} first the first of its rows in the cross map, by the token predicted
 * @property {number} last
 * @property {number} confidence 0 … 1
 * @property {boolean} repeated whether it is of a loop of the model, and was not heard so often
 * @property {number} startMargin how far the start may be off, in seconds; 0 where none is told
 * @property {number} endMargin
 *
 * @typedef {object} Sound
 * @property {number} start
 * @property {number} end of the sound; padding is behind it
 * @property {number} reach the end of what can be seen: where another sound beside it is longer, that is behind its own
 * @property {number} offset where the file to play begins
 * @property {number} padding in seconds
 * @property {[number, number] | null} speech from the first loud frame to the last
 * @property {Picture | null} mel a log-mel spectrogram
 * @property {Picture | null} envelope of one band: the loudest sample of each frame
 * @property {SpokenWord[]} words
 * @property {[number, number, number][]} path of the alignment: row, start, end
 * @property {{data: Uint8Array, type: string} | null} audio
 *
 * @typedef {{from: number, to: number}} Stretch in seconds
 */

/**
 * @param {any} packed
 * @param {Uint8Array} data
 * @returns {Sound}
 */
export function openSound(packed, data) {
  const picture = (/** @type {any} */ part) =>
    part ? { ...part, cells: data.subarray(part.at, part.at + part.bands * part.frames) } : null;
  const { audio } = packed;
  return {
    speech: null,
    path: [],
    reach: packed.end,
    ...packed,
    mel: picture(packed.mel),
    envelope: picture(packed.envelope),
    words: (packed.words ?? []).map(wordOf),
    audio: audio ? { data: data.subarray(audio.at, audio.at + audio.bytes), type: audio.type } : null,
  };
}

/**
 * @param {[string, number, number, number, number, number, boolean?, number?, number?]} word
 * @returns {SpokenWord}
 */
function wordOf([text, start, end, first, last, confidence, repeated = false, startMargin = 0, endMargin = 0]) {
  return { text, start, end, first, last, confidence, repeated, startMargin, endMargin };
}

/** @param {number} time */
export function seconds(time) {
  return time.toFixed(2);
}

/**
 * The frame in which a time lies, the first or last where it is outside.
 *
 * @param {number[]} edges
 * @param {number} time
 */
export function frameAt(edges, time) {
  let [low, high] = [0, edges.length - 2];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (edges[middle] <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The word to which a position of the rows belongs.
 *
 * @param {Sound} sound
 * @param {number} row by the token predicted
 */
export function wordOfRow(sound, row) {
  return sound.words.find((word) => word.first <= row && row <= word.last) ?? null;
}

/**
 * The shortest stretch that holds a share of a row's weight; the first of equals, null where there is no weight.
 *
 * @param {ArrayLike<number>} weights of one row
 * @param {number} share of their sum
 * @returns {[number, number] | null} the first and last frame
 */
export function shortest(weights, share) {
  let whole = 0;
  for (let i = 0; i < weights.length; i++) whole += weights[i];
  if (!(whole > 0)) return null;
  const wanted = whole * share - 1e-9;
  /** @type {[number, number]} */
  let best = [0, weights.length - 1];
  let [sum, first] = [0, 0];
  for (let last = 0; last < weights.length; last++) {
    sum += weights[last];
    while (sum - weights[first] >= wanted && first < last) sum -= weights[first++];
    if (sum >= wanted && last - first < best[1] - best[0]) best = [first, last];
  }
  return best;
}

/**
 * Where tokens and time meet: when a token was spoken, and when a row listened.
 */

// The stretch that is named for a row is the shortest one that holds this share of what the row puts on the sound.
export const HELD = 0.5;

/**
 * When tokens were spoken: from the beginning of their first word to the end of their last.
 *
 * @param {Scene} scene
 * @param {number[]} positions of the rows of the cross or decoder map, as they are named now
 * @param {Sound | null} [sound] that of the second, where the rows are its
 * @returns {Stretch | null} null where they belong to no word
 */
export function spokenSpan({ trace, state }, positions, sound = trace.sound) {
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
export function attendedSpan({ edges, matrix: m }, row) {
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
export function columnAt({ edges }, time) {
  if (!edges || time < edges[0] || time >= edges[edges.length - 1]) return -1;
  return frameAt(edges, time);
}

/**
 * Whether the columns of a panel's map are frames of sound.
 *
 * @param {Panel} panel
 */
export function isOverSound({ sheet }) {
  return Boolean(sheet.keys.edges);
}
