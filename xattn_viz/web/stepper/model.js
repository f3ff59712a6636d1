import { computeReal, computeSteps } from "./maths.js";

/**
 * What is shown: a small layer of the visitor's own, or one head of a real model.
 *
 * @typedef {import("./maths.js").Inputs} Inputs
 * @typedef {import("./maths.js").Rows} Rows
 * @typedef {import("./maths.js").Switches} Switches
 *
 * @typedef {keyof Inputs} InputName
 *
 * @typedef {object} OwnData what Python sends of a setting
 * @property {"own"} kind
 * @property {string} id another one where the numbers are to be taken from here
 * @property {string[]} queries
 * @property {string[]} keys
 * @property {Inputs} inputs
 * @property {Switches} switches
 * @property {number} largest the bound of an input
 *
 * @typedef {object} RealData what Python sends of a real head
 * @property {"real"} kind
 * @property {string} id
 * @property {string[]} queries
 * @property {string[]} keys
 * @property {Rows} q
 * @property {Rows} k
 * @property {number} scale
 * @property {(number | null)[][] | null} bias null stands for −∞
 * @property {Rows} captured
 * @property {number} row
 * @property {number} column
 * @property {number} others
 * @property {(number | null)[] | null} others_scaled
 * @property {number[] | null} others_captured
 *
 * @typedef {OwnData & {head: number, width: number, computed: import("./maths.js").Computed}} Own
 * @typedef {RealData & {computed: ReturnType<typeof computeReal>}} Real
 * @typedef {Own | Real} Model
 *
 * @typedef {{plate: string, row: number, column: number}} Cell
 */

/**
 * @param {OwnData | RealData} data
 * @param {number} head
 * @returns {Model}
 */
export function makeModel(data, head) {
  if (data.kind === "real") {
    const infinite = (/** @type {number | null} */ value) => value ?? -Infinity;
    const bias = data.bias?.map((row) => row.map(infinite)) ?? null;
    const others_scaled = data.others_scaled?.map(infinite) ?? null;
    return { ...data, computed: computeReal({ q: data.q, k: data.k, scale: data.scale, bias, others_scaled }) };
  }
  const { inputs, switches } = data;
  const shown = Math.min(head, switches.n_heads - 1);
  const width = inputs.w_q[0].length / switches.n_heads;
  return { ...data, head: shown, width, computed: computeSteps(inputs, switches) };
}

/**
 * What Python is told of a setting and of what was made of it; −∞ is no JSON and goes as null.
 *
 * @param {Own} model
 */
export function messageOf({ id, inputs, switches, computed }) {
  const finite = (/** @type {number} */ value) => (value === -Infinity ? null : value);
  const masked = computed.masked.map((head) => head.map((row) => row.map(finite)));
  return { id, inputs, switches, results: { ...computed, masked } };
}

/**
 * Which rows and columns made a cell: what lights up with it.
 *
 * @typedef {{plate: string, row: number | null, column: number | null}} Band a row, a column, or one cell
 */

/**
 * @param {Model} model
 * @param {Cell} cell
 * @returns {Band[]}
 */
export function sourcesOf(model, { plate, row, column }) {
  const across = (/** @type {string} */ id, /** @type {number} */ r) => ({ plate: id, row: r, column: null });
  const down = (/** @type {string} */ id, /** @type {number} */ c) => ({ plate: id, row: null, column: c });
  const same = (/** @type {string} */ id) => [{ plate: id, row, column }];
  if (model.kind === "real") {
    if (plate === "scores") return [across("q", row), down("k", column)];
    if (plate === "scaled") return same("scores");
    if (plate === "weights") return [across("scaled", row)];
    return plate === "captured" ? same("weights") : [];
  }
  const inside = column - model.head * model.width; // of what is joined from the heads
  switch (plate) {
    case "q":
      return [across("x", row), down("w_q", column)];
    case "k":
      return [across("context", row), down("w_k", column)];
    case "v":
      return [across("context", row), down("w_v", column)];
    case "scores":
      return [across("q", row), across("k", column)];
    case "scaled":
      return same("scores");
    case "masked":
      return same("scaled");
    case "weights":
      return [across("masked", row)];
    case "heads":
      return [across("weights", row), down("v", inside)];
    case "output":
      return [across("heads", row), down("w_o", column)];
    default:
      return [];
  }
}
