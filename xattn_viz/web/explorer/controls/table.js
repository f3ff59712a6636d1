import { isolated, make } from "../core/dom.js";
import { decimals } from "../core/matrix.js";
import { attendedSpan, isOverSound } from "../sound/sound.js";
import { stretch } from "../text/readout.js";

/**
 * The chosen map as a table, for screen readers and for whoever wants the numbers. Built when it is opened.
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Scene} Scene
 */

// A table of more cells than this helps nobody: each row then names its strongest keys.
const MOST_CELLS = 10000;
const STRONGEST = 5;

export function makeTable() {
  const holder = make("div", {
    class: "xv-table",
    tabindex: 0,
    role: "region",
    "aria-label": "The chosen map as a table",
  });
  const element = make("details", { class: "xv-details" }, make("summary", {}, "This map as a table"), holder);
  /** @type {Scene | null} */
  let last = null;
  let shown = "";
  element.addEventListener("toggle", () => last && paint(last));

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const m = scene.shown.matrix;
    if (!element.open || !m) return;
    const { units, rows, special } = scene.state;
    const key = [
      scene.trace.id,
      scene.trace.beside?.id,
      scene.main.sheet.id,
      scene.main.view.name,
      units,
      rows,
      special,
      scene.main.written,
      scene.shown.apart && scene.second?.view.name,
    ].join(" ");
    if (key === shown) return;
    shown = key;
    const written = { ...m, rows: m.rows.slice(0, scene.main.written) };
    if (isOverSound(scene.main)) holder.replaceChildren(soundTable(scene.main, written));
    else holder.replaceChildren(m.values.length > MOST_CELLS ? strongestTable(written) : fullTable(written));
  }
  return { element, paint };
}

/**
 * The rows with their places, without those that are empty because another output has one there.
 *
 * @param {Matrix} m
 * @returns {[import("../core/units.js").Group, number][]}
 */
function writtenRows(m) {
  const all = m.rows.map((row, r) => /** @type {[import("../core/units.js").Group, number]} */ ([row, r]));
  return all.filter(([row]) => row.positions.length);
}

/** @param {Matrix} m */
function fullTable(m) {
  const head = make(
    "tr",
    {},
    make("td"),
    ...m.columns.map((column) => make("th", { scope: "col" }, isolated(column.label))),
  );
  const body = writtenRows(m).map(([row, r]) => {
    const weights = [...m.values.subarray(r * m.columns.length, (r + 1) * m.columns.length)];
    const cells = weights.map((value) => make("td", {}, Number.isNaN(value) ? "" : decimals(value)));
    return make("tr", {}, make("th", { scope: "row" }, isolated(row.label)), ...cells);
  });
  return make(
    "table",
    {},
    make("caption", {}, "Rows: queries. Columns: keys."),
    make("thead", {}, head),
    make("tbody", {}, ...body),
  );
}

/**
 * Of sound, when each row listened: more than a thousand columns of frames say nothing.
 *
 * @param {import("../core/scene.js").Panel} panel
 * @param {Matrix} m
 */
function soundTable(panel, m) {
  const named = ["", "listened most to", "weight on it", "weight on padding"];
  const body = writtenRows(m).map(([row, r]) => {
    const held = attendedSpan(panel, r);
    const cells = [held ? stretch(held.from, held.to) : "nothing", decimals(held?.weight ?? 0), decimals(m.parked[r])];
    const said = cells.map((cell) => make("td", {}, cell));
    return make("tr", {}, make("th", { scope: "row" }, isolated(row.label)), ...said);
  });
  return make(
    "table",
    {},
    make("caption", {}, "Each row with the shortest stretch that holds half of its weight on the sound."),
    make("thead", {}, make("tr", {}, ...named.map((name) => make(name ? "th" : "td", {}, name)))),
    make("tbody", {}, ...body),
  );
}

/** @param {Matrix} m */
function strongestTable(m) {
  const body = writtenRows(m).map(([row, r]) => {
    const weights = m.values.subarray(r * m.columns.length, (r + 1) * m.columns.length);
    const size = (/** @type {number} */ c) => Math.abs(weights[c]) || 0; // what has no counterpart has no difference
    const order = m.columns.map((_, c) => c).sort((a, b) => size(b) - size(a));
    const cells = order
      .slice(0, STRONGEST)
      .map((c) => make("td", {}, isolated(m.columns[c].label), ` ${decimals(weights[c])}`));
    return make("tr", {}, make("th", { scope: "row" }, isolated(row.label)), ...cells);
  });
  return make(
    "table",
    {},
    make("caption", {}, `Each query with its ${STRONGEST} strongest keys.`),
    make("tbody", {}, ...body),
  );
}
