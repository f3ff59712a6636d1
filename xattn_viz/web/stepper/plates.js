import { isEnlarged, make, rem, SMALLEST_FONT } from "../explorer/core/dom.js";
import { joinedHeads, transposed } from "./maths.js";

/**
 * The matrices as they stand on the page, in the order of the computation.
 *
 * @typedef {import("./maths.js").Rows} Rows
 * @typedef {import("./model.js").Model} Model
 * @typedef {import("./model.js").Own} Own
 * @typedef {import("./model.js").Real} Real
 *
 * @typedef {object} Plate
 * @property {string} id
 * @property {string} title
 * @property {string} prefix what stands before the title: the other factor, where it is not beside it
 * @property {string} shape by name
 * @property {string[]} rows
 * @property {string[]} columns
 * @property {Rows} values NaN where there is nothing
 * @property {boolean} input whether its numbers can be changed
 * @property {boolean} numbered whether there is room for figures
 * @property {boolean} share whether its values are shares of 1
 * @property {boolean} ranged whether colours run over each row's own range: a softmax sees nothing else
 * @property {boolean} bare whether the matrix above it names its columns
 */

/**
 * @param {Own} model
 * @returns {Plate[]}
 */
export function ownPlates({ queries, keys, inputs, switches, computed, head, width }) {
  const several = switches.n_heads > 1;
  const from = head * width;
  const counted = (/** @type {number} */ n) => Array.from({ length: n }, (_, i) => String(i + 1));
  const part = (/** @type {Rows} */ w) => w.map((row) => row.slice(from, from + width));
  const [wide, other] = [counted(inputs.x[0].length), counted(inputs.context[0].length)];
  const narrow = counted(width);
  const joined = several ? wide.map((_, i) => `${Math.floor(i / width) + 1}.${(i % width) + 1}`) : wide;
  const input = (/** @type {string} */ id, /** @type {string} */ title, /** @type {string} */ shape) => ({
    ...{ id, title, shape, prefix: "", input: true, numbered: true, share: false, ranged: false, bare: false },
  });
  const made = (/** @type {string} */ id, /** @type {string} */ title, /** @type {string} */ shape) => ({
    ...{
      id,
      title,
      shape,
      prefix: "",
      input: false,
      numbered: true,
      share: id === "weights",
      ranged: false,
      bare: false,
    },
  });
  const [ofQuery, ofKey] = [
    { rows: queries, columns: narrow },
    { rows: keys, columns: narrow },
  ];
  const pairs = { rows: queries, columns: keys };
  return [
    { ...input("x", "x", "query × d_model"), rows: queries, columns: wide, values: inputs.x },
    { ...input("w_q", "W_Q", "d_model × d_k"), rows: wide, columns: narrow, values: part(inputs.w_q) },
    { ...made("q", "Q", "query × d_k"), ...ofQuery, values: computed.q[head] },
    { ...input("context", "context", "key × d_context"), rows: keys, columns: other, values: inputs.context },
    { ...input("w_k", "W_K", "d_context × d_k"), rows: other, columns: narrow, values: part(inputs.w_k) },
    { ...made("k", "K", "key × d_k"), ...ofKey, values: computed.k[head] },
    {
      ...input("w_v", "W_V", "d_context × d_k"),
      rows: other,
      columns: narrow,
      values: part(inputs.w_v),
      prefix: "context ·",
    },
    { ...made("v", "V", "key × d_k"), ...ofKey, values: computed.v[head] },
    { ...made("scores", "scores Q Kᵀ", "query × key"), ...pairs, values: computed.scores[head] },
    { ...made("scaled", "scaled", "query × key"), ...pairs, values: computed.scaled[head] },
    { ...made("masked", "masked", "query × key"), ...pairs, values: computed.masked[head] },
    { ...made("weights", "weights", "query × key"), ...pairs, values: computed.weights[head] },
    {
      ...made("heads", several ? "heads, joined" : "head", several ? "query × head·d_k" : "query × d_k"),
      ...{ rows: queries, columns: joined, values: joinedHeads(computed.heads) },
    },
    { ...input("w_o", "W_O", "head·d_k × d_model"), rows: joined, columns: wide, values: inputs.w_o },
    { ...made("output", "output", "query × d_model"), rows: queries, columns: wide, values: computed.output },
  ];
}

/**
 * What the keys that are not shown are called.
 *
 * @param {number} count
 */
export function otherKeys(count) {
  return count === 1 ? "1 other key" : `${count.toLocaleString("en")} other keys`;
}

/**
 * Of a real head each key is a column, from its vector down to its weights.
 *
 * @param {Real} model
 * @returns {Plate[]}
 */
export function realPlates({ queries, keys, q, k, computed, captured, others, others_captured }) {
  const columns = others ? [...keys, otherKeys(others)] : keys;
  const filled = (/** @type {Rows} */ rows) => (others ? rows.map((row) => [...row, Number.NaN]) : rows);
  const kept = others_captured ? captured.map((row, i) => [...row, others_captured[i]]) : captured;
  const made = (/** @type {string} */ id, /** @type {string} */ prefix, /** @type {Rows} */ values) => ({
    ...{
      id,
      title: id === "scores" ? "scores Q Kᵀ" : id,
      values,
      rows: queries,
      columns,
      shape: "query × key",
      prefix,
    },
    ...{ share: id === "weights" || id === "captured", ranged: id === "scores" || id === "scaled", bare: true },
    ...{ input: false, numbered: true },
  });
  const vectors = { input: false, numbered: false, share: false, ranged: false, bare: false };
  const kT = filled(transposed(k));
  return [
    { id: "q", title: "Q", prefix: "", shape: "query × d_k", rows: queries, columns: [], values: q, ...vectors },
    { id: "k", title: "Kᵀ", prefix: "·", shape: "d_k × key", rows: kT.map(() => ""), columns, values: kT, ...vectors },
    made("scores", "=", filled(computed.scores)),
    made("scaled", "→", computed.scaled),
    made("weights", "→", computed.weights),
    made("captured", "≈", kept),
  ];
}

/**
 * Where each matrix stands: what is projected on the left, from the scores to the output on the right. Those of a real
 * head, wide and low, stand below each other.
 */

// Signs between the matrices; a list stands in one line.
const LEFT = [
  ["x", "·", "w_q", "=", "q"],
  ["context", "·", "w_k", "=", "k"],
  ["w_v", "=", "v", "→", "heads"],
];
const RIGHT = [
  ["→", "scores", "→", "scaled"],
  ["→", "masked", "→", "weights"],
  ["·", "w_o", "=", "output"],
];
const REAL = ["q", "k", "scores", "scaled", "weights", "captured"];

// Sizes of a cell in rem, its type with it; the largest that fits is taken.
const BESIDE = [5, 4.5, 4, 3.75, 3.5, 3.25, 3, 2.75, 2.65, 2.5, 2.35, 2.2];
const STACKED = [3, 2.75, 2.5, 2.25, 2, 1.75];
const WIDE = [4, 3.75, 3.5, 3.25, ...STACKED];
// In a talk, against the smallest that the last row reads; letters take so much of a cell, as in the style sheet.
const ENLARGED = [2, 1.75, 1.5, 1.35, 1.2, 1.1, 1];
const ON_ONE_LINE = 1.1; // smaller ones are put on two lines, where they can be larger
const CELL_LETTERS = { own: 0.36, real: 0.28 };

const TURNED = "ᵀ";
// In a talk one product fills the screen: how each matrix comes about, in the order of the computation.
/** @type {Record<string, string[]>} */
const OWN_PRODUCTS = {
  q: ["x", "·", "w_q", "=", "q"],
  k: ["context", "·", "w_k", "=", "k"],
  scores: ["q", "·", "k", TURNED, "=", "scores"],
  scaled: ["scores", "→", "scaled"],
  masked: ["scaled", "→", "masked"],
  weights: ["masked", "→", "weights"],
  v: ["context", "·", "w_v", "=", "v"],
  heads: ["weights", "·", "v", "→", "heads"],
  output: ["heads", "·", "w_o", "=", "output"],
};
/** @type {Record<string, string[]>} */
const REAL_PRODUCTS = {
  scores: ["q", "k", "scores"],
  scaled: ["scores", "scaled"],
  weights: ["scaled", "weights"],
  captured: ["weights", "captured"],
};

/** @param {Model} model */
export function products({ kind }) {
  return kind === "own" ? OWN_PRODUCTS : REAL_PRODUCTS;
}

export function makeGround() {
  const element = make("div", { class: "xv-ground" });
  let built = "";

  /**
   * @param {Model} model
   * @param {(id: string) => HTMLElement} plate
   * @param {string} alone the matrix whose product alone is shown, "" for all
   */
  function paint(model, plate, alone) {
    const product = alone && (products(model)[alone] ?? [alone]);
    const key = `${model.kind} ${product}`;
    if (built === key && element.contains(plate(product ? product[0] : "q"))) return;
    built = key;
    const part = (/** @type {string} */ name) =>
      plate(name) ?? make("span", { class: "xv-sign", "aria-hidden": true }, name);
    if (product) return element.replaceChildren(...groups(product.map(part)));
    const own = [
      make("div", { class: "xv-half xv-projected" }, ...LEFT.flat().map(part)),
      make("div", { class: "xv-half xv-attended" }, ...RIGHT.flat().map(part)),
    ];
    return element.replaceChildren(...(model.kind === "own" ? own : REAL.map(part)));
  }
  return { element, paint };
}

/**
 * A matrix and the sign before it stay on one line.
 *
 * @param {HTMLElement[]} parts
 */
function groups(parts) {
  /** @type {HTMLElement[][]} */
  const found = [];
  for (const part of parts) {
    const before = found.at(-1)?.at(-1);
    const isSign = before?.classList.contains("xv-sign") && before.textContent !== TURNED;
    if (isSign || part.textContent === TURNED) found.at(-1)?.push(part);
    else found.push([part]);
  }
  return found.map((each) => make("div", { class: "xv-factor" }, ...each));
}

/**
 * Sets the size of the cells: as large as they fit, on one screen where they can, both halves beside each other where
 * that leaves them readable.
 *
 * @param {HTMLElement} root
 * @param {Model} model
 */
export function fitCells(root, model) {
  if (isEnlarged()) return fitOne(root, model);
  const ground = /** @type {HTMLElement} */ (root.querySelector(".xv-ground"));
  const shapes = [...ground.querySelectorAll("figcaption")].map((caption) => caption.textContent);
  const begins = Math.max(Number(root.dataset.begins ?? 0), root.getBoundingClientRect().top);
  root.dataset.begins = String(begins);
  const key = [begins, root.clientWidth, window.innerHeight, ...shapes, ...model.queries, ...model.keys].join();
  if (key === ground.dataset.fitted) return;
  ground.dataset.fitted = key;
  root.style.setProperty("--xv-label", labelWidth(model));
  const fits = (/** @type {number} */ cell) => {
    root.style.setProperty("--xv-cell", `${cell}rem`);
    return ground.scrollWidth <= ground.clientWidth;
  };
  const onScreen = (/** @type {number} */ cell) => fits(cell) && begins + root.offsetHeight <= window.innerHeight;
  ground.classList.add("xv-beside");
  if (model.kind === "own" && (BESIDE.some(onScreen) || BESIDE.some(fits))) return;
  ground.classList.remove("xv-beside");
  (model.kind === "own" ? STACKED : WIDE).some(fits);
}

/**
 * The same for the one product of a talk: on one line where that can be, its letters no smaller than a talk's, and it
 * scrolls where it must.
 *
 * @param {HTMLElement} root
 * @param {Model} model
 */
function fitOne(root, model) {
  const ground = /** @type {HTMLElement} */ (root.querySelector(".xv-ground"));
  ground.dataset.fitted = "";
  ground.classList.remove("xv-beside");
  const letters = SMALLEST_FONT * rem();
  const fits = (/** @type {number} */ larger) => {
    root.style.setProperty("--xv-cell", `${(larger * letters) / CELL_LETTERS[model.kind]}px`);
    root.style.setProperty("--xv-label", `${larger * letters * Math.min(0.6 + 0.6 * longestName(model), 7)}px`);
    return ground.scrollWidth <= ground.clientWidth && ground.scrollHeight <= ground.clientHeight;
  };
  root.style.setProperty("--xv-wraps", "nowrap");
  if (ENLARGED.filter((larger) => larger >= ON_ONE_LINE).some(fits)) return;
  root.style.setProperty("--xv-wraps", "wrap");
  ENLARGED.some(fits);
}

/** @param {Model} model */
function longestName(model) {
  const more = model.kind === "real" && model.others ? [otherKeys(model.others)] : [];
  const names = [...model.queries, ...model.keys, ...more];
  return Math.max(...names.map((name) => [...name].length));
}

/** @param {Model} model */
function labelWidth(model) {
  const longest = longestName(model);
  const width = Math.max(1.5, 0.6 + (model.kind === "real" ? 0.46 : 0.54) * longest);
  return model.kind === "real" ? `${Math.min(width, 6)}rem` : `${Math.min(width, 4.5)}em`;
}
