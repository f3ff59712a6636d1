import { inkOn, mixed } from "../explorer/core/colours.js";
import { isolated, make } from "../explorer/core/dom.js";
import { figure, sizesText } from "./figures.js";

/**
 * One matrix as a table: its name, its shape, its numbers, each on the colour of its size.
 *
 * @typedef {import("../explorer/core/colours.js").Rgb} Rgb
 * @typedef {import("./model.js").Band} Band
 * @typedef {import("./model.js").Cell} Cell
 * @typedef {import("./plates.js").Plate} Plate
 *
 * @typedef {object} Look
 * @property {Rgb} ground
 * @property {Rgb} positive
 * @property {Rgb} negative
 *
 * @typedef {object} Hooks what happens to a cell
 * @property {(cell: Cell) => void} choose
 * @property {(cell: Cell) => void} click
 * @property {(cell: Cell, td: HTMLElement, typed: string) => void} edit
 * @property {(cell: Cell, td: HTMLElement, event: PointerEvent) => void} press
 */

const CELL_HELP = "Click a cell to see how its number comes about; arrow keys go on to others.";
const INPUT_HELP = "These numbers are yours to change: type one, or drag it up and down.";
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/** @param {Hooks} hooks */
export function makePlate(hooks) {
  const element = make("figure", { class: "xv-plate" });
  /** @type {HTMLTableCellElement[][]} */
  let cells = [];
  let built = "";
  /** @type {Plate | null} */
  let last = null;

  /** @param {Plate} plate */
  function build(plate) {
    const sizes = sizesText(plate.values.length, plate.values[0].length);
    const table = make("table", { role: "grid", "aria-label": `${plate.title}, ${plate.shape}, ${sizes}` });
    if (plate.columns.length) {
      const named = plate.columns.map((name) => make("th", { scope: "col", title: name }, isolated(name)));
      table.append(make("thead", {}, make("tr", {}, make("td"), ...named)));
    }
    cells = plate.values.map((row, r) => row.map((_, c) => makeCell(plate, r, c)));
    const rows = cells.map((row, r) => {
      const name = plate.rows[r];
      return make("tr", {}, make("th", { scope: "row", title: name }, isolated(name)), ...row);
    });
    table.append(make("tbody", {}, ...rows));
    if (cells[0]?.[0]) cells[0][0].tabIndex = 0;
    const caption = make(
      "figcaption",
      {},
      make("span", {}, plate.prefix),
      make("strong", {}, ...subscripted(plate.title)),
      make("span", {}, plate.shape),
      make("span", { class: "xv-sizes" }, sizes),
    );
    caption.dataset.help = plate.input ? `${CELL_HELP} ${INPUT_HELP}` : CELL_HELP;
    element.replaceChildren(caption, table);
    element.dataset.plate = plate.id;
    element.style.setProperty("--xv-names", namesWidth(plate.rows));
    const isFlat = !plate.numbered && plate.columns.length > 0; // its cells are strips above each other
    const strip = isFlat ? Math.min(0.4, 4.5 / plate.values.length) : Math.min(0.6, 22 / plate.values[0].length);
    element.style.setProperty("--xv-strip", `${strip}rem`);
    element.classList.toggle("xv-bare", plate.bare);
    element.classList.toggle("xv-input", plate.input);
    element.classList.toggle("xv-narrow", !plate.numbered && !isFlat);
    element.classList.toggle("xv-flat", isFlat);
  }

  /**
   * @param {Plate} plate
   * @param {number} row
   * @param {number} column
   */
  function makeCell(plate, row, column) {
    const td = make("td", { tabindex: -1 });
    const cell = { plate: plate.id, row, column };
    td.addEventListener("focus", () => {
      for (const other of cells.flat()) other.tabIndex = other === td ? 0 : -1;
    });
    td.addEventListener("pointerdown", (event) => hooks.press(cell, td, event));
    td.addEventListener("click", () => hooks.click(cell));
    td.addEventListener("keydown", (event) => {
      if (event.target !== td || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = ARROWS[event.key];
      const next = step && cells[row + step[0]]?.[column + step[1]];
      if (next) {
        next.focus();
        hooks.choose({ ...cell, row: row + step[0], column: column + step[1] });
      } else if (event.key === "Enter") {
        hooks.choose(cell);
        if (last?.input) hooks.edit(cell, td, "");
      } else if (last?.input && /^[-−.\d]$/.test(event.key)) {
        hooks.choose(cell);
        hooks.edit(cell, td, event.key);
      } else if (!step) return;
      event.preventDefault();
      event.stopPropagation();
    });
    return td;
  }

  /**
   * @param {Plate} plate
   * @param {Look} look
   * @param {Band[]} bands
   * @param {Cell} chosen
   */
  function paint(plate, look, bands, chosen) {
    last = plate;
    const { title, shape, rows, columns, values } = plate;
    const key = JSON.stringify([title, shape, rows, columns, values.length, values[0].length]);
    if (key !== built) build(plate);
    built = key;
    const strength = strengths(plate);
    for (const [r, row] of values.entries())
      for (const [c, value] of row.entries()) {
        const lit = bands.some((band) => band.plate === plate.id && (band.row ?? r) === r && (band.column ?? c) === c);
        paintCell(cells[r][c], value, strength(value, r), look, plate);
        cells[r][c].classList.toggle("xv-lit", lit);
        const isChosen = chosen.plate === plate.id && chosen.row === r && chosen.column === c;
        cells[r][c].classList.toggle("xv-chosen", isChosen);
        if (isChosen) cells[r][c].setAttribute("aria-selected", "true");
        else cells[r][c].removeAttribute("aria-selected");
      }
  }
  return { element, paint };
}

/**
 * How strong the colour of a value is: 1 for the largest of the matrix, or of the row.
 *
 * @param {Plate} plate
 * @returns {(value: number, row: number) => number}
 */
function strengths({ values, share, ranged }) {
  if (share) return (value) => value;
  const finite = (/** @type {number[]} */ all) => all.filter(Number.isFinite);
  if (!ranged) {
    const top = Math.max(...finite(values.flat()).map(Math.abs), 1e-12);
    return (value) => Math.abs(value) / top;
  }
  const ranges = values.map(finite);
  const [low, high] = [ranges.map((all) => Math.min(...all)), ranges.map((all) => Math.max(...all))];
  return (value, r) => (value - low[r]) / Math.max(high[r] - low[r], 1e-12);
}

/**
 * The room for the names of rows: less for numbers.
 *
 * @param {string[]} names
 */
function namesWidth(names) {
  if (!names.every((name) => /^\d+(\.\d+)?$/.test(name))) return "var(--xv-label)";
  return names[0].includes(".") ? "2em" : "1.1em";
}

/**
 * "W_Q" as people write it.
 *
 * @param {string} title
 */
function subscripted(title) {
  const [name, below, rest] = title.split(/_(\w)/);
  return below ? [name, make("sub", {}, below), rest] : [name];
}

/**
 * @param {HTMLTableCellElement} td
 * @param {number} value
 * @param {number} strength of its colour, 0 … 1
 * @param {Look} look
 * @param {Plate} plate
 */
function paintCell(td, value, strength, look, { numbered }) {
  const finite = Number.isFinite(value);
  const colour = mixed(look.ground, value < 0 ? look.negative : look.positive, finite ? strength : 0);
  td.style.background = finite ? `rgb(${colour})` : "";
  td.style.color = finite ? inkOn(colour) : "";
  td.classList.toggle("xv-masked", value === -Infinity);
  td.dataset.value = String(value);
  const text = figure(value);
  td.title = finite ? String(Number(value.toPrecision(6))).replace("-", "−") : text;
  if (!numbered) td.setAttribute("aria-label", text || "empty");
  if (!numbered || td.querySelector("input")) return;
  if (td.textContent !== text) td.textContent = text;
}
