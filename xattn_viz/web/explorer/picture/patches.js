/**
 * Where words and patches of a picture meet: which side of a map lies in the picture, and the weights of a word there.
 *
 * @typedef {import("../core/payload.js").Axis} Axis
 * @typedef {import("../core/payload.js").Sheet} Sheet
 * @typedef {import("../core/payload.js").View} View
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/state.js").State} State
 * @typedef {import("../core/units.js").Group} Group
 *
 * @typedef {object} Region the weights of one word on the picture
 * @property {Float32Array} weights a patch each, row by row
 * @property {number} rows
 * @property {number} columns
 * @property {number} largest the largest of them, or of what lies on the words of another part of the same axis
 */

/**
 * Which side of a map are patches: "columns" where words read the picture, "rows" where the picture reads words; the
 * columns where both are patches.
 *
 * @param {Sheet} sheet
 * @returns {"columns" | "rows" | null}
 */
export function patchSide({ keys, queries }) {
  return keys.grid ? "columns" : queries.grid ? "rows" : null;
}

/**
 * Whether a panel's map lies over a picture.
 *
 * @param {Panel} panel
 */
export function isOverPicture({ sheet }) {
  return patchSide(sheet) !== null;
}

/**
 * Whether the rows and the columns of a map are patches of the same picture.
 *
 * @param {Sheet} sheet
 */
export function isPatchToPatch({ keys, queries }) {
  return Boolean(keys.grid && queries.grid);
}

/**
 * The grid of the patches of a map.
 *
 * @param {Sheet} sheet
 * @returns {[number, number]} rows and columns
 */
export function patchGrid({ keys, queries }) {
  return keys.grid ?? queries.grid ?? [1, 1];
}

/** @type {WeakMap<Axis, number[]>} */
const patches = new WeakMap();

/**
 * The positions of an axis that are patches, row by row.
 *
 * @param {Axis} axis
 */
export function patchesOf(axis) {
  let found = patches.get(axis);
  if (!found) {
    const [rows, columns] = axis.grid ?? [1, axis.labels.length];
    found = axis.labels.flatMap((_, i) => (axis.special[i] ? [] : [i])).slice(0, rows * columns);
    patches.set(axis, found);
  }
  return found;
}

/**
 * Whether a row or column has no place in the picture: it is special, or of another part behind the patches.
 *
 * @param {Axis} axis
 * @param {Group} group
 */
export function isBeside(axis, { special, positions }) {
  return special || (axis.grid !== null && positions[0] > (patchesOf(axis).at(-1) ?? -1));
}

/**
 * The rows or columns of a panel's map that patches are, -1 where they are hidden.
 *
 * @param {Panel} panel
 */
export function patchCells({ sheet, matrix: m }) {
  if (!m) return [];
  const [axis, place] = sheet.keys.grid ? [sheet.keys, m.columnOf] : [sheet.queries, m.rowOf];
  return patchesOf(axis).map((position) => place[position]);
}

/**
 * The words of a panel's map, or where there are none the patches that read: what has a region each.
 *
 * @param {Panel} panel
 * @returns {Group[]}
 */
export function regionWords({ sheet, matrix: m }) {
  return (patchSide(sheet) === "columns" ? m?.rows : m?.columns) ?? [];
}

/**
 * Which of the words is in focus, -1 for none.
 *
 * @param {Panel} panel
 */
export function wordInFocus({ sheet, focus }) {
  return patchSide(sheet) === "columns" ? focus.row : focus.column;
}

/**
 * What a word's weights are on each patch: of a word that reads, the mean over its pieces; of one that is read, their
 * sum.
 *
 * @param {Sheet} sheet
 * @param {View} view
 * @param {Group | undefined} word
 * @returns {Region | null} null where the map was not sent, or there is no such word
 */
export function regionOf(sheet, view, word) {
  const sent = sheet.weights(view);
  if (!sent || !word?.positions.length) return null;
  const reads = patchSide(sheet) === "columns";
  const places = patchesOf(reads ? sheet.keys : sheet.queries);
  const width = sheet.keys.labels.length;
  const unit = view.scale / 255 / (reads ? word.positions.length : 1);
  const rests = sheet.rests(view);
  /** @param {number} place */
  const weightOn = (place) => {
    let sum = 0;
    for (const at of word.positions) {
      const cell = reads ? at * width + place : place * width + at;
      sum += sent[cell] + (rests ? rests[cell] / 255 - 0.5 : 0);
    }
    return Math.max(sum, 0) * unit;
  };
  // Rests of nothing are not quite nothing.
  const weights = Float32Array.from(places, (place) => (view.inside === 0 ? 0 : weightOn(place)));
  const elsewhere = reads ? behindPatches(sheet.keys).map(weightOn) : [];
  const [rows, columns] = patchGrid(sheet);
  return { weights, rows, columns, largest: [...weights, ...elsewhere].reduce((a, b) => Math.max(a, b), 0) };
}

/**
 * The same for what a panel shows: its own weights, or what the second of two maps has more than the first.
 *
 * @param {Panel} panel
 * @param {number} word its number among the words of the panel
 * @returns {Region | null}
 */
export function shownRegion(panel, word) {
  if (!panel.of) return regionOf(panel.sheet, panel.view, regionWords(panel)[word]);
  const [ours, theirs] = panel.of.map((one) => shownRegion(one, word));
  if (!ours || !theirs) return null;
  const weights = theirs.weights.map((weight, patch) => weight - ours.weights[patch]);
  return { ...ours, weights, largest: weights.reduce((most, apart) => Math.max(most, Math.abs(apart)), 0) };
}

/**
 * The positions behind the patches that are not special: the words of another part. Colours end at what lies there too,
 * or a word that hardly looks at the picture would light it up.
 *
 * @param {Axis} axis
 */
function behindPatches(axis) {
  const last = patchesOf(axis).at(-1) ?? -1;
  return axis.labels.flatMap((_, i) => (i > last && !axis.special[i] ? [i] : []));
}

/** @type {WeakMap<import("../core/matrix.js").Matrix, number>} */
const tops = new WeakMap();

/**
 * The largest weight between a word and a patch, or a word of another part: what is special takes no part.
 *
 * @param {Panel} panel
 */
export function largestOnPatches({ matrix: m }) {
  if (!m) return 1;
  let top = tops.get(m) ?? 0;
  if (!top) {
    m.rows.forEach((row, r) => {
      m.columns.forEach((column, c) => {
        const value = Math.abs(m.values[r * m.columns.length + c]);
        if (!row.special && !column.special && value > top) top = value; // none where a difference has no such cell
      });
    });
    tops.set(m, Math.max(top, 1e-6));
  }
  return Math.max(top, 1e-6);
}

/**
 * Where the colours of a panel's picture end, by the chosen scale: at the largest weight of the word in focus, of the
 * map, or of all maps.
 *
 * @param {Panel} panel
 * @param {string} scale
 */
export function pictureTop(panel, scale) {
  const largest = largestOnPatches(panel);
  if (scale === "word") {
    return Math.max(shownRegion(panel, wordInFocus(panel))?.largest ?? largest, 1e-6);
  }
  if (scale === "head" || panel.apart) return largest;
  return Math.max(...panel.sheet.views.map((view) => view.inside ?? view.scale), largest);
}

/**
 * The patch that a panel's focus is on, by its place in the grid; -1 for none.
 *
 * @param {Panel} panel
 */
export function patchInFocus(panel) {
  const { row, column } = panel.focus;
  const at = patchSide(panel.sheet) === "columns" ? column : row;
  return at < 0 ? -1 : patchCells(panel).indexOf(at);
}

/**
 * Several words over one picture, each with a colour of its own.
 */

/**
 * Whether the words of a map can be compared: patches that read patches have no words.
 *
 * @param {Scene} scene
 */
export function canCompare({ main }) {
  return patchSide(main.sheet) !== null && !isPatchToPatch(main.sheet);
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
  const mine = scene && (patchSide(scene.main.sheet) === "columns" ? "row" : "column") === side;
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
export function comparingToggled({ main, state }) {
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
  const words = patchSide(main.sheet) === "columns" ? "row" : "column";
  return words === side && state.several ? state.several : [];
}
