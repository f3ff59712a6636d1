import { isolated } from "../explorer/core/dom.js";
import { figure, productText, softmaxText } from "./figures.js";
import { transposed } from "./maths.js";
import { otherKeys } from "./plates.js";

/**
 * How one cell comes about, in a sentence and written out in figures.
 *
 * @typedef {import("./maths.js").Rows} Rows
 * @typedef {import("./model.js").Cell} Cell
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./model.js").Own} Own
 * @typedef {import("./model.js").Real} Real
 *
 * @typedef {{said: (Node | string)[], sum: string}} Explanation
 * @typedef {(model: Own, row: number, column: number) => Explanation} Explain
 */

/** @type {Record<string, Explain>} */
const EXPLAIN = {
  q: (model, row, column) => projected(model, "q", "x", row, column),
  k: (model, row, column) => projected(model, "k", "context", row, column),
  v: (model, row, column) => projected(model, "v", "context", row, column),
  scores: explainScore,
  scaled: explainScaled,
  masked: explainMasked,
  weights: explainWeight,
  heads: explainHead,
  output: explainOutput,
};

/**
 * @param {Model} model
 * @param {Cell} cell
 * @returns {Explanation}
 */
export function explained(model, cell) {
  if (model.kind === "real") return explainReal(model, cell);
  const explain = EXPLAIN[cell.plate];
  return explain ? explain(model, cell.row, cell.column) : explainInput(model, cell);
}

/**
 * @param {Own} model
 * @param {"q" | "k" | "v"} name
 * @param {"x" | "context"} from
 * @param {number} row
 * @param {number} column
 */
function projected({ queries, keys, inputs, computed, head, width }, name, from, row, column) {
  const w = inputs[/** @type {"w_q" | "w_k" | "w_v"} */ (`w_${name}`)];
  const whose = isolated((from === "x" ? queries : keys)[row]);
  return {
    said: ["Row ", whose, ` of ${from} · column ${column + 1} of W_${name.toUpperCase()}`],
    sum: productText(inputs[from][row], transposed(w)[head * width + column], computed[name][head][row][column]),
  };
}

/** @type {Explain} */
function explainScore({ queries, keys, computed, head }, row, column) {
  const named = () => [isolated(queries[row]), isolated(keys[column])];
  const [query, key] = named();
  const [ofQuery, ofKey] = named();
  return {
    said: ["How well the query ", query, " fits the key ", key, ": row ", ofQuery, " of Q · row ", ofKey, " of K"],
    sum: productText(computed.q[head][row], computed.k[head][column], computed.scores[head][row][column]),
  };
}

/** @type {Explain} */
function explainScaled({ switches, computed, head, width }, row, column) {
  const [score, scaled] = [computed.scores, computed.scaled].map((all) => figure(all[head][row][column]));
  if (!switches.scaled) return { said: ["The scale is off: the score stays as it is"], sum: `${score} = ${scaled}` };
  const why = "The score ÷ √d_k, so that its size does not grow with d_k";
  return { said: [why], sum: `${score} ÷ √${width} = ${scaled}` };
}

/** @type {Explain} */
function explainMasked({ keys, switches, computed, head }, row, column) {
  const key = isolated(keys[column]);
  const why = [switches.padding[column] && "is padding", switches.causal && column > row && "comes later (causal)"];
  const reasons = why.filter(Boolean).join(" and ");
  if (reasons) return { said: ["The key ", key, ` ${reasons}: its score becomes −∞`], sum: "−∞" };
  const [scaled, masked] = [computed.scaled, computed.masked].map((all) => figure(all[head][row][column]));
  return { said: ["Nothing masks the key ", key, " here: the score stays"], sum: `${scaled} = ${masked}` };
}

/** @type {Explain} */
function explainWeight({ queries, keys, computed, head }, row, column) {
  const [query, key] = [isolated(queries[row]), isolated(keys[column])];
  const scores = computed.masked[head][row];
  if (scores.every((score) => score === -Infinity))
    return { said: ["No key is left for the query ", query, ": its weights are exactly 0"], sum: "0.00" };
  const hidden = scores[column] === -Infinity ? ". Masked: e^−∞ is exactly 0" : "";
  return {
    said: ["How much of its attention ", query, " gives to ", key, `: softmax over the row${hidden}`],
    sum: softmaxText(scores, column, computed.weights[head][row][column]),
  };
}

/** @type {Explain} */
function explainHead({ queries, computed, head, width }, row, column) {
  const inside = column - head * width;
  const said = [
    "The values, mixed by the weights: row ",
    isolated(queries[row]),
    ` of weights · column ${inside + 1} of V`,
  ];
  const values = transposed(computed.v[head])[inside];
  return { said, sum: productText(computed.weights[head][row], values, computed.heads[head][row][inside]) };
}

/** @type {Explain} */
function explainOutput({ queries, inputs, switches, computed }, row, column) {
  const heads = switches.n_heads > 1 ? "the heads" : "the head";
  const joined = computed.heads.flatMap((head) => head[row]);
  return {
    said: ["Row ", isolated(queries[row]), ` of ${heads} · column ${column + 1} of W_O`],
    sum: productText(joined, transposed(inputs.w_o)[column], computed.output[row][column]),
  };
}

/**
 * @param {Own} model
 * @param {Cell} cell
 * @returns {Explanation}
 */
function explainInput({ queries, keys, inputs, head, width }, { plate, row, column }) {
  const offset = ["w_q", "w_k", "w_v"].includes(plate) ? head * width : 0;
  const sum = figure(inputs[/** @type {import("./model.js").InputName} */ (plate)][row][column + offset]);
  const how = "click and type, step with ↑ ↓, or drag up and down";
  if (plate !== "x" && plate !== "context")
    return { said: [`A weight, learnt in a real layer, here yours: ${how}`], sum };
  const name = isolated((plate === "x" ? queries : keys)[row]);
  return { said: [`Number ${column + 1} of the vector of `, name, `: ${how}`], sum };
}

/**
 * How one cell of a real head comes about.
 */

/**
 * @param {Real} model
 * @param {Cell} cell
 * @returns {Explanation}
 */
function explainReal(model, { plate, row, column }) {
  const { computed, scale } = model;
  const width = model.q[0].length;
  const other = column >= model.keys.length;
  const query = isolated(model.queries[row] ?? "");
  const key = isolated(model.keys[column] ?? otherKeys(model.others));
  const scaled = computed.scaled[row];
  if (plate === "q")
    return {
      said: ["The query of ", query, `, number ${column + 1} of ${width}`],
      sum: figure(model.q[row][column]),
    };
  if (plate === "k" && !other)
    return {
      said: ["The key of ", key, `, number ${row + 1} of ${width}`],
      sum: figure(model.k[column][row]),
    };
  if (plate === "captured") {
    const [kept, weight] = [capturedAt(model, row, column), computed.weights[row][column]];
    return {
      said: ["The weight of ", key, " that was captured while the model ran; recomputed here it is"],
      sum: `${figure(kept)} ≈ ${figure(weight)}`,
    };
  }
  if (plate === "weights")
    return {
      said: ["How much of its attention ", query, " gives to ", key, ": softmax over its keys"],
      sum: softmaxText(scaled, column, computed.weights[row][column]),
    };
  if (other)
    return {
      said: ["All other keys in one: the log of the sum of their e^score, so that the softmax is exact"],
      sum: figure(plate === "scaled" ? scaled[column] : Number.NaN),
    };
  const score = computed.scores[row][column];
  if (plate === "scores")
    return {
      said: ["How well the query ", query, " fits the key ", key],
      sum: productText(model.q[row], model.k[column], score),
    };
  const rooted = Math.abs(scale * Math.sqrt(width) - 1) < 1e-6;
  const bias = model.bias ? ` + ${figure(scaled[column] - score * scale)} (bias)` : "";
  return {
    said: ["The score", rooted ? " ÷ √d_k" : " × the model’s scale", model.bias ? ", plus the model’s own bias" : ""],
    sum: `${figure(score)} ${rooted ? `÷ √${width}` : `× ${figure(scale)}`}${bias} = ${figure(scaled[column])}`,
  };
}

/**
 * The captured weight of a key, or of those that are not shown.
 *
 * @param {Real} model
 * @param {number} row
 * @param {number} column
 */
export function capturedAt(model, row, column) {
  return model.captured[row][column] ?? model.others_captured?.[row] ?? Number.NaN;
}
