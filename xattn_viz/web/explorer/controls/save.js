import { titled, wordsOf } from "../core/kinds.js";
import { viewTitle } from "../core/payload.js";
import { seenPicture } from "../picture/picturesave.js";
import { isSeen } from "../picture/seen.js";
import { soundPicture } from "../sound/soundpicture.js";
import { isHeard } from "../sound/spoken.js";
import { node, SVG, short, text } from "./svg.js";

/**
 * The chosen map as a picture with its labels: an SVG drawn here, and a PNG of that SVG at twice its size.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const CELL = 28;
const SHARPNESS = 2;

/**
 * @param {Scene} scene
 * @param {string} format "PNG" or "SVG"
 */
export async function saveImage(scene, format) {
  const svg = mapPicture(scene);
  if (!svg) return;
  const { kind } = scene.main.sheet;
  const name = `attention ${kind === "cross" ? "" : kind} ${viewTitle(scene.main.view)}`.replace(/[^\w]+/g, "-");
  const written = new XMLSerializer().serializeToString(svg);
  const vector = new Blob([written], { type: "image/svg+xml" });
  download(format === "SVG" ? vector : await raster(svg, vector), `${name}.${format.toLowerCase()}`);
}

/**
 * @param {Scene} scene
 * @returns {SVGSVGElement | null}
 */
export function mapPicture(scene) {
  const m = scene.main.matrix;
  if (!m) return null;
  if (isHeard(scene.main)) return soundPicture(scene, m);
  if (isSeen(scene.main)) return seenPicture(scene);
  const { theme, main, state } = scene;
  const longest = (/** @type {{label: string}[]} */ all) =>
    Math.max(...all.map(({ label }) => Math.min(label.length, 24)));
  const left = longest(m.rows) * 8 + 24;
  const above = longest(m.columns) * 8 * Math.SQRT1_2 + 60;
  const width = left + m.columns.length * CELL + above;
  const height = above + m.rows.length * CELL + 46;
  const ground = `rgb(${theme.ground.join(",")})`;
  const ink = theme.dark ? "#f2f2f2" : "#111111";
  const svg = node("svg", {
    xmlns: SVG,
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "font-family": "system-ui, sans-serif",
  });
  svg.append(node("rect", { width, height, fill: ground }));
  const heading = titled(scene.trace, main, viewTitle(main.view));
  svg.append(text(heading, { x: 14, y: 24, fill: ink, "font-size": 16, "font-weight": 600 }));
  m.values.forEach((value, i) => {
    const at = Math.round((value / main.top) * 255) * 3;
    const fill = `rgb(${[...theme.table.subarray(at, at + 3)].join(",")})`;
    const x = left + (i % m.columns.length) * CELL;
    const y = above + Math.floor(i / m.columns.length) * CELL;
    svg.append(node("rect", { x, y, width: CELL, height: CELL, fill, "shape-rendering": "crispEdges" }));
  });
  const size = { fill: ink, "font-size": 13 };
  m.rows.forEach((row, r) => {
    const y = above + (r + 0.5) * CELL + 4;
    svg.append(text(short(row.label), { ...size, x: left - 8, y, "text-anchor": "end" }));
  });
  m.columns.forEach((column, c) => {
    const x = left + (c + 0.5) * CELL;
    svg.append(text(short(column.label), { ...size, transform: `translate(${x} ${above - 8}) rotate(-45)` }));
  });
  const whose = state.scale === "head" ? "this map's own maximum" : "the maximum of all maps";
  const words = wordsOf(main.sheet);
  const named = `Rows: ${state.rows === "input" ? words.rowRead : words.row}. Columns: ${words.column}. `;
  const colours = `${state.colours}${theme.dark ? "" : " reversed"}, 0 to ${main.top.toFixed(2)} (${whose})`;
  svg.append(text(named + colours, { ...size, "font-size": 11, x: 14, y: height - 16 }));
  return svg;
}

/**
 * @param {SVGSVGElement} svg
 * @param {Blob} vector
 * @returns {Promise<Blob>}
 */
async function raster(svg, vector) {
  const address = URL.createObjectURL(vector);
  const image = new Image();
  image.src = address;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = Number(svg.getAttribute("width")) * SHARPNESS;
  canvas.height = Number(svg.getAttribute("height")) * SHARPNESS;
  /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d")).drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(address);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) =>
      blob ? resolve(blob) : reject(new Error("The picture is too large for a PNG: save it as SVG.")),
    );
  });
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
function download(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
