import { gridSeen, isSeenTwice, patchesOf, patchInFocus } from "./seen.js";

/**
 * The lines over a picture: the patch in focus, the grid while the pointer is over its patches, and the box.
 *
 * @typedef {import("../core/scene.js").Panel} Panel
 */

const GRID = "rgb(128 128 128 / 60%)";

/**
 * @param {HTMLCanvasElement} canvas
 * @param {import("../core/scene.js").Scene} scene
 * @param {Panel} panel
 * @param {number} wide
 * @param {number} high
 */
export function paintOutlines(canvas, { state }, panel, wide, high) {
  const [rows, columns] = gridSeen(panel.sheet);
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.clearRect(0, 0, wide, high);
  const [cellWidth, cellHeight] = [wide / columns, high / rows];
  const reader = isSeenTwice(panel.sheet) ? readerOf(panel) : -1;
  const patch = reader >= 0 ? reader : patchInFocus(panel);
  if (state.overlay === "patches" && state.hover && patchInFocus(panel) >= 0) {
    context.fillStyle = GRID;
    for (let c = 1; c < columns; c++) context.fillRect(c * cellWidth - 0.5, 0, 1, high);
    for (let r = 1; r < rows; r++) context.fillRect(0, r * cellHeight - 0.5, wide, 1);
  }
  if (patch >= 0) {
    const corner = { x: (patch % columns) * cellWidth, y: Math.floor(patch / columns) * cellHeight };
    outline(context, corner.x, corner.y, cellWidth, cellHeight, []);
  }
  const { box } = state;
  if (box) outline(context, box.x * wide, box.y * high, box.width * wide, box.height * high, [6, 4]);
}

/**
 * The patch that reads, of a map between patches.
 *
 * @param {Panel} panel
 */
function readerOf({ sheet, matrix: m, focus }) {
  const position = m?.rows[focus.row]?.positions[0] ?? -1;
  return patchesOf(sheet.queries).indexOf(position);
}

/**
 * A light line on a dark one shows on every picture.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 * @param {number[]} dashes of the light line
 */
function outline(context, x, y, width, height, dashes) {
  for (const [thickness, ink, broken] of /** @type {[number, string, number[]][]} */ ([
    [4, "#000", []],
    [2, "#fff", dashes],
  ])) {
    context.setLineDash(broken);
    context.lineWidth = thickness;
    context.strokeStyle = ink;
    context.strokeRect(x + 1, y + 1, width - 2, height - 2);
  }
  context.setLineDash([]);
}
