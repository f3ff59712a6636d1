/**
 * The steps of a layer of cross-attention in double precision: a mirror of layer.py, so that what is typed is answered
 * at once. The tests hold it against the layer.
 *
 * @typedef {number[][]} Rows a matrix, row by row
 * @typedef {object} Inputs the numbers that can be changed
 * @property {Rows} x [query, d_model]
 * @property {Rows} context [key, d_context]
 * @property {Rows} w_q [d_model, d_model]
 * @property {Rows} w_k [d_context, d_model]
 * @property {Rows} w_v [d_context, d_model]
 * @property {Rows} w_o [d_model, d_model]
 *
 * @typedef {object} Switches
 * @property {number} n_heads
 * @property {boolean} scaled
 * @property {boolean[]} padding
 * @property {boolean} causal
 *
 * @typedef {object} Computed
 * @property {Rows[]} q [head, query, d_k]
 * @property {Rows[]} k [head, key, d_k]
 * @property {Rows[]} v [head, key, d_k]
 * @property {Rows[]} scores [head, query, key]
 * @property {Rows[]} scaled [head, query, key]
 * @property {Rows[]} masked [head, query, key], −Infinity where a key is left out
 * @property {Rows[]} weights [head, query, key]
 * @property {Rows[]} heads [head, query, d_k]
 * @property {Rows} output [query, d_model]
 */

/**
 * @param {number[]} a
 * @param {number[]} b
 */
export function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/**
 * @param {Rows} a
 * @returns {Rows}
 */
export function transposed(a) {
  return a[0].map((_, column) => a.map((row) => row[column]));
}

/**
 * @param {Rows} a [n, m]
 * @param {Rows} b [m, p]
 * @returns {Rows} [n, p]
 */
export function product(a, b) {
  const columns = transposed(b);
  return a.map((row) => columns.map((column) => dot(row, column)));
}

/**
 * A row of nothing but −Infinity has no softmax: zeros, as in the layer.
 *
 * @param {number[]} row
 */
export function softmax(row) {
  const top = Math.max(...row);
  if (top === -Infinity) return row.map(() => 0);
  const powers = row.map((score) => Math.exp(score - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/**
 * Whether a query may attend to a key.
 *
 * @param {Switches} switches
 * @param {number} query
 * @param {number} key
 */
export function mayAttend(switches, query, key) {
  return !switches.padding[key] && !(switches.causal && key > query);
}

/**
 * @param {Inputs} inputs
 * @param {Switches} switches
 * @returns {Computed}
 */
export function computeSteps(inputs, switches) {
  const width = inputs.w_q[0].length / switches.n_heads;
  const scale = switches.scaled ? width ** -0.5 : 1;
  const heads = Array.from({ length: switches.n_heads }, (_, head) => {
    const part = (/** @type {Rows} */ w) => w.map((row) => row.slice(head * width, (head + 1) * width));
    const [q, k, v] = [
      product(inputs.x, part(inputs.w_q)),
      product(inputs.context, part(inputs.w_k)),
      product(inputs.context, part(inputs.w_v)),
    ];
    const scores = q.map((query) => k.map((key) => dot(query, key)));
    const scaled = scores.map((row) => row.map((score) => score * scale));
    const masked = scaled.map((row, i) => row.map((score, j) => (mayAttend(switches, i, j) ? score : -Infinity)));
    const weights = masked.map(softmax);
    return { q, k, v, scores, scaled, masked, weights, heads: product(weights, v) };
  });
  const all = (/** @type {keyof (typeof heads)[0]} */ name) => heads.map((head) => head[name]);
  return {
    q: all("q"),
    k: all("k"),
    v: all("v"),
    scores: all("scores"),
    scaled: all("scaled"),
    masked: all("masked"),
    weights: all("weights"),
    heads: all("heads"),
    output: product(joinedHeads(all("heads")), inputs.w_o),
  };
}

/**
 * @param {Rows[]} heads [head, query, d_k]
 * @returns {Rows} [query, head · d_k]
 */
export function joinedHeads(heads) {
  return heads[0].map((_, query) => heads.flatMap((head) => head[query]));
}

/**
 * What a real head does with its queries and keys; the last column of `scaled` and `weights` stands for the keys that
 * are not shown, where there are any.
 *
 * @param {{q: Rows, k: Rows, scale: number, bias: Rows | null, others_scaled: number[] | null}} head
 */
export function computeReal({ q, k, scale, bias, others_scaled }) {
  const scores = q.map((query) => k.map((key) => dot(query, key)));
  const scaled = scores.map((row, i) => {
    const shown = row.map((score, j) => score * scale + (bias?.[i][j] ?? 0));
    return others_scaled ? [...shown, others_scaled[i]] : shown;
  });
  return { scores, scaled, weights: scaled.map(softmax) };
}
