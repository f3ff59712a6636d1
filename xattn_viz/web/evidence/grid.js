import { inkOn, mixed } from "../explorer/core/colours.js";
import { isolated, make } from "../explorer/core/dom.js";

/**
 * Numbers in a table of rows and columns, each cell in the colour of its number.
 *
 * @typedef {import("../explorer/core/colours.js").Theme} Theme
 *
 * @typedef {object} Grid
 * @property {"grid"} kind
 * @property {string} label what the numbers are, for those who hear the page
 * @property {string} corner what stands above the rows and before the columns
 * @property {string[]} rows
 * @property {string[]} columns
 * @property {string[][]} texts what each cell says; empty where it is to stay without a number
 * @property {number[][]} shades 0 … 1, below 0 in another colour, NaN as null
 * @property {string[][]} names what a cell is called, with its number
 * @property {[number, number] | null} selected
 * @property {[number, number][]} marks cells in a frame
 * @property {boolean} chooses whether a click on a cell does something
 * @property {boolean} words whether rows and columns are words, which takes more room beside the cells
 */

const MANY = 10; // words beside each other, or stretches of sound, of which smaller cells fit
const BELOW = /** @type {[number, number, number]} */ ([74, 168, 255]);

/**
 * @param {Grid} data
 * @param {Theme} theme
 * @param {(row: number, column: number) => void} choose
 */
export function drawGrid(data, theme, choose) {
  const size = data.columns.length > MANY ? " xv-many" : "";
  const name = data.words ? `xv-grid xv-of-words${size}` : "xv-grid";
  const table = make("table", { class: name, "aria-label": data.label });
  table.style.setProperty("--xv-columns", String(data.columns.length));
  const head = make("tr", {}, make("td", { class: "xv-corner" }, data.corner));
  data.columns.forEach((name, column) => {
    head.append(make("th", { scope: "col", "data-column": column }, isolated(name, "xv-name")));
  });
  table.append(make("thead", {}, head));
  const body = make("tbody", {});
  const marks = new Set(data.marks.map(String));
  data.rows.forEach((name, row) => {
    const line = make("tr", {}, make("th", { scope: "row" }, isolated(name, "xv-name")));
    data.columns.forEach((_, column) => {
      line.append(makeCell(data, theme, row, column, marks.has(`${row},${column}`), choose));
    });
    body.append(line);
  });
  table.append(body);
  return make("div", { class: "xv-scroll", tabindex: "0", role: "group", "aria-label": data.label }, table);
}

/**
 * @param {Grid} data
 * @param {Theme} theme
 * @param {number} row
 * @param {number} column
 * @param {boolean} isMarked
 * @param {(row: number, column: number) => void} choose
 */
function makeCell(data, theme, row, column, isMarked, choose) {
  const shade = data.shades[row][column];
  const name = data.names[row][column];
  const isSelected = data.selected?.[0] === row && data.selected[1] === column;
  const attributes = {
    title: name,
    class: `xv-value${isMarked ? " xv-marked" : ""}${isSelected ? " xv-selected" : ""}`,
    "data-at": `${row},${column}`,
  };
  const face = data.chooses
    ? make("button", { ...attributes, type: "button", "aria-label": name, "aria-pressed": String(isSelected) })
    : make("span", attributes);
  face.append(data.texts[row][column]);
  if (shade !== null) {
    const colour = colourOf(shade, theme);
    face.style.background = `rgb(${colour.join(" ")})`;
    face.style.color = inkOn(colour);
  }
  if (data.chooses) face.addEventListener("click", () => choose(row, column));
  return make("td", {}, face);
}

/**
 * The colour of a share of the largest number; what is below nothing is blue, as it is on no map.
 *
 * @param {number} shade
 * @param {Theme} theme
 * @returns {[number, number, number]}
 */
export function colourOf(shade, theme) {
  if (shade < 0) return mixed(theme.ground, BELOW, -shade);
  const place = 3 * Math.round(Math.min(shade, 1) * 255);
  return [theme.table[place], theme.table[place + 1], theme.table[place + 2]];
}
