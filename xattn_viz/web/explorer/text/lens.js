import { inkOn, levelOf, tableFor } from "../core/colours.js";
import { isolated, make, rem } from "../core/dom.js";
import { decimals } from "../core/matrix.js";

/**
 * A lens over a map whose labels are thinned out or cut: the cell under the pointer or in focus with its labels in full,
 * and its neighbours in readable size.
 *
 * @typedef {import("../core/mapframe.js").Grid} Grid
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const [LENS_ROWS, LENS_COLUMNS] = [5, 7];
const LENS_AWAY = 18; // pixels from the cell, at a font size of 16

/**
 * @param {HTMLElement} element the map, over which the lens lies
 * @param {HTMLElement} view the part of it that scrolls
 * @param {HTMLElement} stage its cells
 */
export function makeLens(element, view, stage) {
  const said = make("p", { class: "xv-lens-said" });
  const table = make("table");
  const lens = make("div", { class: "xv-lens", "aria-hidden": "true", hidden: true }, said, table);
  element.append(lens);
  stage.addEventListener("focusout", () => {
    lens.hidden = true;
  });

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {Grid} fit
   */
  function paint(scene, panel, fit) {
    const { row, column } = panel.focus;
    const m = panel.matrix;
    const isLooked = scene.state.hover?.kind === panel.sheet.kind || stage.matches(":focus-visible");
    lens.hidden = !m || !fit.isCut || row < 0 || column < 0 || row >= panel.written || !isLooked;
    if (!m || lens.hidden) return;
    const rows = neighbours(row, fit.rows, LENS_ROWS);
    const columns = neighbours(column, fit.columns, LENS_COLUMNS);
    const value = m.values[row * fit.columns + column];
    said.replaceChildren(
      isolated(m.rows[row].label),
      " → ",
      isolated(m.columns[column].label),
      make("span", { class: "xv-lens-weight" }, Number.isNaN(value) ? "no counterpart" : decimals(value)),
    );
    const head = columns.map((c) =>
      make("th", { class: c === column ? "xv-focus" : "" }, isolated(m.columns[c].label)),
    );
    const body = rows.map((r) =>
      make(
        "tr",
        {},
        make("th", { class: r === row ? "xv-focus" : "" }, isolated(m.rows[r].label)),
        ...columns.map((c) => lensCell(scene, panel, r, c, fit, r === row && c === column)),
      ),
    );
    table.replaceChildren(make("tr", {}, make("td"), ...head), ...body);
    place(fit, row, column);
  }

  /**
   * Beside the cell, on the side of it where there is more room.
   *
   * @param {Grid} fit
   * @param {number} row
   * @param {number} column
   */
  function place(fit, row, column) {
    const [whole, seen, cells] = [element, view, stage].map((each) => each.getBoundingClientRect());
    const away = LENS_AWAY * rem();
    const x = cells.left - whole.left + (column + 0.5) * fit.cellWidth;
    const y = cells.top - whole.top + (row + 0.5) * fit.cellHeight;
    const [wide, high] = [lens.offsetWidth, lens.offsetHeight];
    const left = x + away + wide > whole.width ? x - away - wide : x + away;
    const below = y + away + high <= seen.bottom - whole.top;
    lens.style.left = `${Math.max(Math.min(left, whole.width - wide), 0)}px`;
    lens.style.top = `${Math.max(below ? y + away : y - away - high, 0)}px`;
  }
  return { paint };
}

/**
 * Indices around one, as many as asked for where there are so many.
 *
 * @param {number} index
 * @param {number} count
 * @param {number} most
 */
function neighbours(index, count, most) {
  const first = Math.max(Math.min(index - (most >> 1), count - most), 0);
  return Array.from({ length: Math.min(most, count) }, (_, i) => first + i);
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {number} row
 * @param {number} column
 * @param {Grid} fit
 * @param {boolean} isChosen
 */
function lensCell(scene, panel, row, column, fit, isChosen) {
  const value = panel.matrix?.values[row * fit.columns + column] ?? 0;
  const cell = make("td", { class: isChosen ? "xv-focus" : "" }, Math.abs(value) >= 0.05 ? decimals(value) : "");
  if (Number.isNaN(value)) return cell;
  const at = levelOf(panel, value) * 3;
  const [r, g, b] = tableFor(scene.theme, panel).subarray(at, at + 3);
  if (row < panel.written) Object.assign(cell.style, { background: `rgb(${r} ${g} ${b})`, color: inkOn([r, g, b]) });
  else cell.textContent = "";
  return cell;
}
