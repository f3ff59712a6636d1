/**
 * Which rows and columns made a cell: what lights up with it.
 *
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./model.js").Cell} Cell
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
