/**
 * The bytes that Python packed (payload.py says how), read without copying what is large.
 *
 * @typedef {object} Axis
 * @property {string} kind
 * @property {string[]} labels
 * @property {number[] | null} words the word of each position
 * @property {boolean[]} special
 * @property {string[] | null} gaps the text before each token
 * @property {string} rest the text after the last token
 *
 * @typedef {object} View
 * @property {string} name "2.1" is layer 2, head 1, both from 1; "2.mean", "mean", "max"
 * @property {number | null} layer the model's own number, from 0
 * @property {number | null} head from 0
 * @property {string | null} reduce "mean" or "max"
 * @property {number} scale the largest weight
 * @property {number | null} at
 * @property {number | null} tile
 *
 * @typedef {object} Step
 * @property {string} token
 * @property {number} id
 * @property {number} p
 * @property {[string, number][]} alternatives
 * @property {boolean} forced
 *
 * @typedef {object} Exact
 * @property {Float32Array} weights [layer, head, query, key]
 * @property {Float32Array} queries [layer, head, query, d_k]
 * @property {Float32Array} keys [layer, head, key, d_k]
 * @property {number} d_k
 * @property {number} scale
 *
 * @typedef {object} Trace
 * @property {string} id
 * @property {number[]} layers
 * @property {number} heads
 * @property {string[]} altered
 * @property {Axis} keys
 * @property {Axis} queries
 * @property {Axis | null} read
 * @property {View[]} views
 * @property {[number, number] | null} tiles rows and columns of a pooled tile
 * @property {Step[]} steps
 * @property {Exact | null} exact
 * @property {Record<string, string | number>} select
 * @property {Map<string, Uint8Array>} sent the maps that came in full, by the name of their view
 * @property {(view: View) => Uint8Array | null} weights the map in full, [query, key], or null where it was not sent
 * @property {(view: View) => {cells: Uint8Array, rows: number, columns: number}} tile the map as the overview draws it
 */

/**
 * @param {Uint8Array} bytes
 * @param {Trace | null} [before] what was unpacked last: layers of the same trace that came with it are kept
 * @returns {Trace}
 */
export function unpack(bytes, before = null) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const data = bytes.subarray(4 + length);
  const rows = header.queries.labels.length;
  const columns = header.keys.labels.length;
  /** @type {(at: number, count: number) => Float32Array} */
  const floats = (at, count) => new Float32Array(data.slice(at, at + 4 * count).buffer);
  for (const view of header.views) view.name = viewName(view);
  if (header.exact) {
    const maps = header.layers.length * header.heads;
    const { weights, queries, keys, d_k } = header.exact;
    header.exact.weights = floats(weights, maps * rows * columns);
    header.exact.queries = floats(queries, maps * rows * d_k);
    header.exact.keys = floats(keys, maps * columns * d_k);
  }
  /** @type {Map<string, Uint8Array>} */
  const sent = new Map(before?.id === header.id ? before?.sent : []);
  for (const view of header.views) {
    if (view.at !== null) sent.set(view.name, data.subarray(view.at, view.at + rows * columns));
  }
  return {
    ...header,
    sent,
    weights: (view) => sent.get(view.name) ?? null,
    tile: (view) => {
      if (view.tile === null) {
        const at = /** @type {number} */ (view.at);
        return { cells: data.subarray(at, at + rows * columns), rows, columns };
      }
      const [tileRows, tileColumns] = header.tiles;
      const cells = data.subarray(view.tile, view.tile + tileRows * tileColumns);
      return { cells, rows: tileRows, columns: tileColumns };
    },
  };
}

/** @param {View} view */
function viewName(view) {
  if (view.layer === null) return String(view.reduce);
  return `${view.layer + 1}.${view.head === null ? view.reduce : view.head + 1}`;
}

/**
 * A view in words, as it stands inside a sentence.
 *
 * @param {View} view
 */
export function viewTitle(view) {
  if (view.layer === null) return view.reduce === "mean" ? "mean over all heads" : "maximum over all heads";
  if (view.head === null) return `layer ${view.layer + 1}, mean over heads`;
  return `layer ${view.layer + 1}, head ${view.head + 1}`;
}
