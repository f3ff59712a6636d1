import { isolated } from "../explorer/core/dom.js";
import { figure } from "./format.js";
import { otherKeys } from "./plates.js";
import { productText, softmaxText } from "./terms.js";

/**
 * How one cell of a real head comes about.
 *
 * @typedef {import("./model.js").Real} Real
 * @typedef {import("./model.js").Cell} Cell
 * @typedef {import("./arithmetic.js").Explanation} Explanation
 */

/**
 * @param {Real} model
 * @param {Cell} cell
 * @returns {Explanation}
 */
export function explainReal(model, { plate, row, column }) {
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
