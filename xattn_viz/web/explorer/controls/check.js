import { isolated, make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";

/**
 * How one weight comes about: q · k over √d_k, the softmax of its row, and how far that is from the captured weight.
 *
 * @typedef {import("../core/payload.js").Exact} Exact
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {(cell: object) => void} Open shows a weight on the page about the layer, step by step
 */

const MOST_KEYS = 40;
const MOST_TERMS = 12;

/**
 * @param {import("../core/scene.js").Change} change
 * @param {() => Open | null} opening null where there is no such page
 */
export function makeCheck(change, opening) {
  const body = make("div", { class: "xv-check-body" });
  const close = make("button", { type: "button", class: "xv-button xv-close", "aria-label": "Close" }, "✕");
  close.addEventListener("click", () => change({ checked: null }));
  const element = make("section", { class: "xv-check", "aria-label": "How this weight comes about" }, close, body);
  let shown = "";

  /** @param {Scene} scene */
  function paint(scene) {
    const { main, second, compared } = scene;
    const { checked, units, rows, special } = scene.state;
    // A cell that the first of two has not is explained of the second.
    const panels = compared && second ? [main, second] : [main];
    const panel = checked && panels.find(({ matrix }) => isThere(matrix, checked));
    const isNowhere = checked && !panel && compared && panels.every(({ matrix }) => matrix?.rows[checked.row]);
    element.hidden = !panel && !isNowhere;
    if (!checked || element.hidden) return;
    const of = panel ?? main;
    const key = JSON.stringify([of.sheet.id, of.view.name, of.name, checked, units, rows, special]);
    if (key === shown && body.childElementCount) return;
    shown = key;
    if (panel) body.replaceChildren(...explain(panel, scene.state, checked), ...onward(panel, panel === main, checked));
    else
      body.replaceChildren(
        make("p", {}, "This cell is in neither of the two: its row is only in one, its column only in the other."),
      );
    body.scrollTop = 0;
    // It lies beside the map; where the texts leave no room there, the page moves so far that it is read at once: for
    // whoever asked here, not on a page that opens with it.
    const active = /** @type {Document | ShadowRoot} */ (element.getRootNode()).activeElement;
    if (!active || active === document.body) return;
    const { bottom } = (body.querySelector("dl") ?? body).getBoundingClientRect();
    if (bottom > window.innerHeight) element.scrollIntoView({ block: "nearest" });
  }

  /**
   * The way to the page about the layer, for a weight of one head between tokens, or between a token and a frame: that
   * page shows the first of two.
   *
   * @param {Panel} panel
   * @param {boolean} isFirst
   * @param {{row: number, column: number}} cell
   */
  function onward({ matrix, sheet, view }, isFirst, cell) {
    const open = opening();
    const { head, layer } = view;
    const [row, column] = [matrix?.rows[cell.row], matrix?.columns[cell.column]];
    const isHead = head !== null && layer !== null && !wordsOf(sheet).share && !sheet.queries.edges;
    if (!open || !isFirst || !isHead || !row || !column) return [];
    const on = make("button", { type: "button", class: "xv-button" }, "Step by step on the Layer page");
    const said = { kind: sheet.kind, layer, head, rows: row.positions, columns: column.positions };
    on.addEventListener("click", () => open(said));
    return [make("div", {}, on)];
  }
  return { element, paint };
}

/**
 * Whether a map has a cell, and it stands for something.
 *
 * @param {import("../core/matrix.js").Matrix | null} m
 * @param {{row: number, column: number}} cell
 */
function isThere(m, { row, column }) {
  return Boolean(m?.rows[row]?.positions.length && m.columns[column]?.positions.length);
}

/**
 * @param {Panel} panel
 * @param {import("../core/state.js").State} state
 * @param {{row: number, column: number}} cell
 * @returns {Node[]}
 */
function explain({ matrix: m, name, sheet, view }, state, cell) {
  const row = m?.rows[cell.row];
  const column = m?.columns[cell.column];
  if (!m || !row || !column) return [];
  const whose = name ? `${name}: ` : "";
  const heading = make("h3", {}, whose, isolated(row.label), " → ", isolated(column.label));
  const { head, layer } = view;
  if (head === null || layer === null) {
    return [
      heading,
      make("p", {}, "A mean or maximum has no q · k of its own: choose one head to see how its weight comes about."),
    ];
  }
  if (wordsOf(sheet).share) {
    const what = sheet.title ? "the value of a file" : "this row’s share of what the method found";
    const said = `This is no attention weight, and has no q · k: it is ${what}.`;
    return [heading, make("p", {}, said)];
  }
  if (!sheet.exact) {
    return [
      heading,
      make(
        "p",
        {},
        sheet.keys.edges
          ? "Between this row and this moment of the sound. Its queries and keys are computed when they are asked for."
          : "The queries and keys of this trace were not sent here: it is too large, or was made without them.",
      ),
    ];
  }
  const { exact } = sheet;
  const map = sheet.layers.indexOf(layer) * sheet.heads + head;
  const pairs = row.positions.flatMap((i) =>
    column.positions.map((j) => ({ i, j, weight: captured(sheet, map, i, j) })),
  );
  const best = pairs.reduce((a, b) => (b.weight > a.weight ? b : a));
  /** @type {Node[]} */
  const parts = [heading];
  if (pairs.length > 1) {
    const unit = state.units === "sentences" ? "sentence" : "word";
    const terms = pairs.map((pair) => pair.weight.toFixed(4)).join(" + ");
    const sum = pairs.length <= MOST_TERMS ? `(${terms})` : `the sum of ${pairs.length.toLocaleString("en")} weights`;
    const over = row.positions.length > 1 ? ` ÷ ${row.positions.length} pieces of the row’s ${unit}` : "";
    const total = pairs.reduce((a, pair) => a + pair.weight, 0) / row.positions.length;
    const between = `${sheet.queries.labels[best.i]} → ${sheet.keys.labels[best.j]}`;
    parts.push(
      make(
        "p",
        {},
        `Between ${unit}s: ${sum}${over} = ${total.toFixed(4)}. The largest, between the pieces `,
        isolated(between),
        ":",
      ),
    );
  }
  const scores = rowScores(sheet, exact, map, best.i);
  const largest = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  const weight = powers[best.j] / sum;
  const off = Math.abs(weight - best.weight);
  const product = scores[best.j] / exact.scale;
  const result = { product, score: scores[best.j], weight, captured: best.weight, off };
  const steps = make("dl", {}, ...lines(exact, result, scores.length));
  for (const [name, value] of Object.entries(result)) steps.dataset[name] = String(value);
  parts.push(steps, rowTable(sheet, scores, powers, sum, best.j));
  return parts;
}

/**
 * @param {Exact} exact
 * @param {{product: number, score: number, weight: number, captured: number, off: number}} result
 * @param {number} keys
 */
function lines(exact, result, keys) {
  const rooted = Math.abs(exact.scale - 1 / Math.sqrt(exact.d_k)) < 1e-6;
  const scaled = rooted ? `÷ √d_k = ÷ √${exact.d_k}` : `× ${exact.scale}`;
  /** @type {[string, string][]} */
  const terms = [
    [`q · k, a sum of ${exact.d_k} products`, signed(result.product, 3)],
    [scaled, signed(result.score, 3)],
    [`softmax over the row's ${keys} keys`, result.weight.toFixed(4)],
    ["captured while the model ran", result.captured.toFixed(4)],
    ["difference", result.off === 0 ? "0" : result.off.toExponential(1)],
  ];
  return terms.flatMap(([term, value]) => [make("dt", {}, term), make("dd", {}, value)]);
}

/**
 * @param {import("../core/payload.js").Sheet} sheet
 * @param {number[]} scores
 * @param {number[]} powers
 * @param {number} sum
 * @param {number} chosen
 */
function rowTable(sheet, scores, powers, sum, chosen) {
  const order = scores.map((_, j) => j);
  const strongest = order.sort((a, b) => powers[b] - powers[a]).slice(0, MOST_KEYS);
  const some = strongest.length < scores.length ? `The ${MOST_KEYS} strongest keys of this row` : "The whole row";
  const table = make("table", {}, make("caption", {}, some));
  const head = make(
    "tr",
    {},
    ...["key", "q · k ÷ √d_k", "e^(score − max)", "÷ sum = weight"].map((name) => make("th", { scope: "col" }, name)),
  );
  const rows = strongest.map((j) =>
    make(
      "tr",
      j === chosen ? { class: "xv-chosen" } : {},
      make("th", { scope: "row" }, isolated(sheet.keys.labels[j])),
      ...[signed(scores[j], 3), powers[j].toPrecision(3), (powers[j] / sum).toFixed(4)].map((text) =>
        make("td", {}, text),
      ),
    ),
  );
  table.append(make("thead", {}, head), make("tbody", {}, ...rows));
  return make("div", { class: "xv-row-table", tabindex: 0, role: "region", "aria-label": some }, table);
}

/**
 * q · k · scale against every key, summed in double precision.
 *
 * @param {import("../core/payload.js").Sheet} sheet
 * @param {Exact} exact
 * @param {number} map the head's place among all maps
 * @param {number} i the query
 */
function rowScores(sheet, exact, map, i) {
  const { d_k } = exact;
  const q = (map * sheet.queries.labels.length + i) * d_k;
  return sheet.keys.labels.map((_, j) => {
    const k = (map * sheet.keys.labels.length + j) * d_k;
    let sum = 0;
    for (let d = 0; d < d_k; d++) sum += exact.queries[q + d] * exact.keys[k + d];
    return sum * exact.scale;
  });
}

/**
 * @param {import("../core/payload.js").Sheet} sheet
 * @param {number} map
 * @param {number} i
 * @param {number} j
 */
function captured(sheet, map, i, j) {
  const exact = /** @type {Exact} */ (sheet.exact);
  return exact.weights[(map * sheet.queries.labels.length + i) * sheet.keys.labels.length + j];
}

/**
 * @param {number} value
 * @param {number} digits
 */
function signed(value, digits) {
  return value.toFixed(digits).replace("-", "−");
}
