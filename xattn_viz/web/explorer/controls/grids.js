import { checkbox, isolated, make } from "../core/dom.js";
import { viewTitle } from "../core/payload.js";

/**
 * What is known of each head: the number that the overview is coloured and sorted by, and the head's name.
 *
 * @typedef {import("../core/payload.js").Grid} Grid
 * @typedef {import("../core/payload.js").Sheet} Sheet
 * @typedef {import("../core/payload.js").View} View
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {{number: string, name: string}} Caption what stands under a map
 * @typedef {{text: string, views: View[]}} Block maps below a title
 */

/**
 * The grid that the overview is coloured by; null for the weights, and where this sheet has no such grid.
 *
 * @param {Scene} scene
 * @returns {Grid | null}
 */
export function gridOf({ state, main }) {
  return main.sheet.grids.find(({ name }) => name === state.by) ?? null;
}

/**
 * A head's number; null for a mean, and where there is none.
 *
 * @param {Sheet} sheet
 * @param {Grid | null} grid
 * @param {View} view
 * @param {"values" | "low" | "high"} [end]
 */
export function numberOf(sheet, grid, view, end = "values") {
  if (view.layer === null || view.head === null) return null;
  return grid?.[end]?.[sheet.layers.indexOf(view.layer)]?.[view.head] ?? null;
}

/**
 * Where the colours of a grid begin and end: at 0 where no number is below, and at the largest number.
 *
 * @param {Grid} grid
 */
export function gridRange(grid) {
  const numbers = grid.values.flat().filter((value) => value !== null);
  return { low: Math.min(0, ...numbers), high: Math.max(0, ...numbers) };
}

/**
 * A number as it stands under a map: "71%", ".94", "1.32", "0.007".
 *
 * @param {number} value
 * @param {string} unit
 */
export function numberText(value, unit) {
  if (value === 0) return "0";
  if (unit === "share") return `${Math.round(100 * value)}%`;
  const digits = value
    .toFixed(Math.abs(value) < 0.1 && unit !== "F1" ? 3 : 2)
    .replace(/^-(?=0\.0*$)/, "")
    .replace("-", "−");
  return unit === "F1" ? digits.replace(/^0/, "") : digits;
}

/**
 * What stands under a head's map: its number, and its name where that was measured or the overview shows numbers.
 *
 * @param {Scene} scene
 * @param {View} view
 * @returns {Caption}
 */
export function captionOf(scene, view) {
  const { sheet } = scene.main;
  const grid = gridOf(scene);
  const value = numberOf(sheet, grid, view);
  const [name, isMeasured] = sheet.names[view.name] ?? ["", false];
  const number = grid && view.head !== null ? (value === null ? "–" : numberText(value, grid.unit)) : "";
  // A number stays in one line with what it is.
  return { number, name: grid || isMeasured ? name.replace("F1 ", "F1\u00a0") : "" };
}

/**
 * The maps in the order of the overview, in blocks with a title: layer by layer, or all heads by their number.
 *
 * @param {Scene} scene
 * @returns {Block[]}
 */
export function blocksOf(scene) {
  const { sheet } = scene.main;
  const grid = gridOf(scene);
  if (grid && scene.state.sorted) {
    const rank = (/** @type {View} */ view) => numberOf(sheet, grid, view) ?? Number.NEGATIVE_INFINITY;
    const heads = sheet.views.filter((view) => view.head !== null);
    return [
      { text: "Heads, the largest first", views: heads.sort((a, b) => rank(b) - rank(a) || 0) },
      { text: "Means of layers, and of all", views: sheet.views.filter((view) => view.head === null) },
    ];
  }
  const named = ["cross", "concepts"].includes(sheet.kind) ? scene.trace.modules : [];
  const blocks = [...sheet.layers, null].map((layer) => {
    const own = layer !== null && named[layer] ? `, ${named[layer][1]} × ${named[layer][2]}` : "";
    const views = sheet.views.filter((view) => view.layer === layer);
    const face = layer === null ? "All layers" : `Layer ${layer + 1}${own}`;
    return { text: views[0]?.whole ? (sheet.title ? "Map" : "Whole model") : face, views };
  });
  return blocks.filter(({ views }) => views.length);
}

/**
 * The choice of what the overview is coloured by, above it, and below it what is known of the chosen head.
 *
 * @param {import("../core/scene.js").Change} change
 */
export function makeGridChoice(change) {
  const select = make("select", { "aria-label": "Colour the overview by" });
  select.addEventListener("change", () => change({ by: select.value }));
  const sort = checkbox("Sort", "Put the heads in the order of that number, the largest first.", (sorted) =>
    change({ sorted }),
  );
  const [low, high] = [make("span"), make("span")];
  const bar = make("span", { class: "xv-bar", "aria-hidden": "true" });
  const scale = make("span", { class: "xv-grid-scale" }, low, bar, high);
  const missing = make("span", { class: "xv-missing" });
  const above = make(
    "div",
    { class: "xv-grid-choice", role: "group", "aria-label": "Colours of the overview" },
    make("label", { class: "xv-check-label" }, "Colour by", select),
    sort.element,
    scale,
    missing,
  );
  const known = make("p");
  const method = make("p");
  const how = make("details", {}, make("summary", {}, "How it is measured"), method);
  const below = make("div", { class: "xv-grid-note" }, known, how);
  let offered = "";

  /** @param {Scene} scene */
  function paint(scene) {
    const { sheet, view } = scene.main;
    const grid = gridOf(scene);
    above.hidden = !sheet.grids.length;
    const titles = sheet.grids.map(({ name, title }) => [name, title]);
    if (JSON.stringify(titles) !== offered) {
      offered = JSON.stringify(titles);
      const options = [["", "Weights"], ...titles].map(([value, title]) => make("option", { value }, title));
      select.replaceChildren(...options);
    }
    select.value = grid?.name ?? "";
    sort.input.checked = scene.state.sorted;
    sort.element.hidden = scale.hidden = how.hidden = !grid;
    // An address can ask for what was measured of these heads elsewhere.
    missing.hidden = Boolean(grid) || !scene.state.by;
    missing.textContent = `“${scene.state.by}” was not measured here: these are weights.`;
    const [name, isMeasured] = sheet.names[view.name] ?? ["", false];
    below.hidden = !grid && !isMeasured;
    if (grid) {
      const range = gridRange(grid);
      low.textContent = numberText(range.low, grid.unit);
      high.textContent = numberText(range.high, grid.unit);
      bar.style.backgroundImage = gradient(scene.theme.table);
      method.textContent = grid.method;
    }
    const title = viewTitle(view);
    const said = grid ? numberSaid(sheet, grid, view) : "";
    known.replaceChildren(
      title[0].toUpperCase() + title.slice(1),
      ...(name ? [" ", isolated(name, "xv-name")] : []),
      said ? `. ${said}.` : ".",
    );
  }
  return { above, below, paint };
}

/**
 * "Entropy: 0.67 bits (0.61 to 0.73)", for the chosen head; a mean has none.
 *
 * @param {Sheet} sheet
 * @param {Grid} grid
 * @param {View} view
 */
function numberSaid(sheet, grid, view) {
  const value = numberOf(sheet, grid, view);
  if (value === null) return "";
  const unit = grid.unit === "share" ? "" : ` ${grid.unit}`;
  const [low, high] = [numberOf(sheet, grid, view, "low"), numberOf(sheet, grid, view, "high")];
  const ends =
    low === null || high === null ? "" : ` (${numberText(low, grid.unit)} to ${numberText(high, grid.unit)})`;
  return `${grid.title}: ${numberText(value, grid.unit)}${unit}${ends}`;
}

/** @param {Uint8Array} table */
function gradient(table) {
  const stops = Array.from({ length: 17 }, (_, i) => {
    const at = Math.round((i / 16) * 255) * 3;
    return `rgb(${table[at]} ${table[at + 1]} ${table[at + 2]})`;
  });
  return `linear-gradient(to right, ${stops.join(", ")})`;
}
