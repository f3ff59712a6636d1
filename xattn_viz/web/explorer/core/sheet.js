import { seconds } from "../sound/sound.js";

/**
 * Axes and maps as they are read from the packed bytes, where they lie.
 *
 * @typedef {import("./payload.js").Axis} Axis
 * @typedef {import("./payload.js").Exact} Exact
 * @typedef {import("./payload.js").Sheet} Sheet
 * @typedef {import("./payload.js").Step} Step
 * @typedef {import("./payload.js").View} View
 */

/**
 * Frames of sound are named by their seconds.
 *
 * @param {Partial<Axis>} axis
 * @returns {Axis}
 */
export function openAxis(axis) {
  const empty = {
    words: null,
    sentences: null,
    gaps: null,
    rest: "",
    blanks: {},
    edges: null,
    grid: null,
    parts: null,
  };
  if (!axis.edges) return /** @type {Axis} */ ({ ...empty, ...axis });
  const { edges } = axis;
  const labels = edges.slice(1).map((end, i) => `${seconds(edges[i])}–${seconds(end)} s`);
  return /** @type {Axis} */ ({ ...empty, ...axis, labels, special: labels.map(() => false) });
}

/**
 * @param {any} packed
 * @param {Axis[]} axes
 * @param {Uint8Array} data
 * @param {Step[]} steps
 * @param {Sheet | undefined} before
 * @returns {Sheet}
 */
export function openSheet(packed, axes, data, steps, before) {
  const queries = axes[packed.queries];
  const keys = axes[packed.keys];
  const rows = queries.labels.length;
  const columns = keys.labels.length;
  /** @type {View[]} */
  const views = packed.views.map((/** @type {Partial<View>} */ view) => {
    const places = { at: null, fine: null, tile: null, sentences: null, padding: null };
    const none = { layer: null, head: null, reduce: null, inside: null, ...places };
    const whole = { ...none, ...view };
    return { ...whole, name: viewName(/** @type {View} */ (whole)) };
  });
  /** @type {Map<string, Uint8Array>} */
  const sent = new Map(before?.sent ?? []);
  /** @type {Map<string, Uint8Array>} */
  const resting = new Map(before?.resting ?? []);
  /** @type {Map<string, Uint8Array>} */
  const rests = new Map();
  for (const view of views) {
    if (view.at !== null) sent.set(view.name, data.subarray(view.at, view.at + rows * columns));
    if (view.fine !== null) rests.set(view.name, data.subarray(view.fine, view.fine + rows * columns));
    if (view.padding !== null) resting.set(view.name, data.subarray(view.padding, view.padding + rows));
  }
  return {
    ...packed,
    keys,
    queries,
    read: packed.read === null ? null : axes[packed.read],
    views,
    steps: packed.kind === "encoder" ? [] : steps,
    exact: packed.exact && exactOf(packed, data, rows, columns),
    sent,
    resting,
    padding: (view) => resting.get(view.name) ?? null,
    weights: (view) => sent.get(view.name) ?? null,
    rests: (view) => rests.get(view.name) ?? null,
    tile: (view) => {
      const whole = sent.get(view.name);
      if (view.tile === null && whole) return { cells: whole, rows, columns };
      const [tileRows, tileColumns] = packed.tiles;
      const at = /** @type {number} */ (view.tile);
      const cells = data.subarray(at, at + tileRows * tileColumns);
      return { cells, rows: tileRows, columns: tileColumns };
    },
    sums: (view, reading, count) => {
      const at = view.sentences?.[reading]?.[0];
      return at === undefined ? null : data.subarray(at, at + count);
    },
  };
}

/**
 * @param {any} packed
 * @param {Uint8Array} data
 * @param {number} rows
 * @param {number} columns
 * @returns {Exact}
 */
function exactOf({ exact, layers, heads }, data, rows, columns) {
  /** @type {(at: number, count: number) => Float32Array} */
  const floats = (at, count) => new Float32Array(data.slice(at, at + 4 * count * layers.length * heads).buffer);
  return {
    weights: floats(exact.weights, rows * columns),
    queries: floats(exact.queries, rows * exact.d_k),
    keys: floats(exact.keys, columns * exact.d_k),
    d_k: exact.d_k,
    scale: exact.scale,
  };
}

/** @param {View} view */
function viewName(view) {
  if (view.layer === null) return String(view.reduce);
  return `${view.layer + 1}.${view.head === null ? view.reduce : view.head + 1}`;
}
