import { KINDS, titled, wordsOf } from "../core/kinds.js";
import { decimals } from "../core/matrix.js";
import { viewTitle } from "../core/payload.js";
import { restingOn } from "../picture/beside.js";
import { isOverPicture, patchGrid, regionWords, wordInFocus } from "../picture/patches.js";
import { drawPicture, paintWeights, WORD_COLOURS } from "../picture/region.js";
import { isOverSound, seconds } from "../sound/sound.js";
import { paintSound, paintSoundCells } from "../sound/soundpaint.js";
import { ticks } from "../sound/time.js";

/**
 * The chosen map as a picture with its labels: an SVG drawn here, and a PNG of that SVG at twice its size.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../sound/sound.js").Stretch} Stretch
 */

const CELL = 28;
const SHARPNESS = 2;

/**
 * @param {Scene} scene
 * @param {string} format "PNG" or "SVG"
 */
export async function saveImage(scene, format) {
  const svg = mapSvg(scene);
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
export function mapSvg(scene) {
  const m = scene.main.matrix;
  if (!m) return null;
  if (isOverSound(scene.main)) return soundSvg(scene, m);
  if (isOverPicture(scene.main)) return pictureSvg(scene);
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
  const named = `Rows: ${state.rows === "input" ? words.rowOfInput : words.row}. Columns: ${words.column}. `;
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

/**
 * Parts of a picture that is saved as SVG. Text enters as text nodes only.
 */

export const SVG = "http://www.w3.org/2000/svg";

/**
 * A label that is not too long for a picture.
 *
 * @param {string} label
 */
export function short(label) {
  const characters = [...label];
  return characters.length > 24 ? `${characters.slice(0, 23).join("")}…` : label;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[K]}
 */
export function node(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== "xmlns") made.setAttribute(name, String(value));
  }
  return made;
}

/**
 * @param {string} content
 * @param {Record<string, string | number>} attributes
 */
export function text(content, attributes) {
  const made = node("text", { ...attributes, "unicode-bidi": "isolate" });
  made.textContent = content;
  return made;
}

/**
 * A map over sound as a picture: what is in view, with its spectrogram and its seconds. Sound and weights are embedded
 * as pixels, since a minute has thousands of frames.
 */

const WIDE = 1100;
const SOUND = 120;
const ROW = 20;
const FRAME_ROWS = 600; // the height of rows that are frames
const ABOVE = 44;
const RULER = 26;

/**
 * @param {Scene} scene
 * @param {import("../core/matrix.js").Matrix} m
 * @returns {SVGSVGElement}
 */
export function soundSvg(scene, m) {
  const { theme, main, state, trace } = scene;
  const range = /** @type {Stretch} */ (scene.range);
  const sound = /** @type {import("../sound/sound.js").Sound} */ (trace.sound);
  const frames = main.sheet.queries.edges;
  const high = frames ? FRAME_ROWS : m.rows.length * ROW;
  const left = frames ? 60 : Math.max(...m.rows.map(({ label }) => Math.min(label.length, 24))) * 8 + 24;
  const top = ABOVE + SOUND + RULER;
  const [width, height] = [left + WIDE + 24, top + high + 46];
  const ink = theme.dark ? "#f2f2f2" : "#111111";
  const style = {
    xmlns: SVG,
    width,
    height,
    viewBox: `0 0 ${width} ${height}`,
    "font-family": "system-ui, sans-serif",
  };
  const svg = node("svg", style);
  svg.append(node("rect", { width, height, fill: `rgb(${theme.ground.join(",")})` }));
  const heading = titled(trace, main, viewTitle(main.view));
  svg.append(text(heading, { x: 14, y: 24, fill: ink, "font-size": 16, "font-weight": 600 }));
  svg.append(
    embedded((canvas) => paintSound(canvas, sound, range, WIDE, SOUND, theme), left, ABOVE, WIDE, SOUND),
    embedded((canvas) => paintSoundCells(canvas, scene, main, range, WIDE, high), left, top, WIDE, high),
  );
  const size = { fill: ink, "font-size": 13 };
  for (const { time, label } of ticks(range, WIDE, 60)) {
    const x = left + ((time - range.from) / (range.to - range.from)) * WIDE;
    svg.append(node("rect", { x, y: ABOVE + SOUND, width: 1, height: 6, fill: ink }));
    svg.append(text(label, { ...size, x, y: ABOVE + SOUND + 20, "text-anchor": "middle" }));
  }
  svg.append(...(frames ? secondsOf(frames, left, top, high, size) : labelsOf(m, left, top, size)));
  const whose = state.scale === "head" ? "this map's own maximum" : "the maximum of all maps";
  const words = KINDS[main.sheet.kind];
  const rows = frames ? "seconds" : state.rows === "input" ? words.rowOfInput : words.row;
  const named = `Rows: ${rows}. Columns: seconds, ${seconds(range.from)} to ${seconds(range.to)}. `;
  const colours = `${state.colours}${theme.dark ? "" : " reversed"}, 0 to ${main.top.toFixed(2)} (${whose}); `;
  const caption = `${named}${colours}each pixel shows the largest weight in it`;
  svg.append(text(caption, { ...size, "font-size": 11, x: 14, y: height - 16 }));
  return svg;
}

/**
 * @param {import("../core/matrix.js").Matrix} m
 * @param {number} left
 * @param {number} top
 * @param {Record<string, string | number>} size
 */
function labelsOf(m, left, top, size) {
  return m.rows.map((row, r) =>
    text(short(row.label), { ...size, x: left - 8, y: top + (r + 0.5) * ROW + 4, "text-anchor": "end" }),
  );
}

/**
 * @param {number[]} edges
 * @param {number} left
 * @param {number} top
 * @param {number} high
 * @param {Record<string, string | number>} size
 */
function secondsOf(edges, left, top, high, size) {
  const all = { from: edges[0], to: edges[edges.length - 1] };
  return ticks(all, high, 40).map(({ time, label }) => {
    const y = top + ((time - all.from) / (all.to - all.from)) * high;
    return text(label, { ...size, x: left - 8, y: y + 4, "text-anchor": "end" });
  });
}

/**
 * @param {(canvas: HTMLCanvasElement) => void} paint
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
export function embedded(paint, x, y, width, height) {
  const canvas = document.createElement("canvas");
  paint(canvas);
  return node("image", { x, y, width, height, href: canvas.toDataURL("image/png"), preserveAspectRatio: "none" });
}

/**
 * A map over a picture, to be saved: the picture with the weights over it as pixels, what they are of as text.
 */

const SAVED_WIDTH = 640; // of the picture
const SAVED_MARGIN = 14;
const SAVED_LINE = 22;
const SAVED_SHARE = 0.05; // of a row: what other words than special ones are named with at least

/**
 * @param {Scene} scene
 * @returns {SVGSVGElement}
 */
export function pictureSvg(scene) {
  const { theme, main, picture, state } = scene;
  const [rows, columns] = patchGrid(main.sheet);
  const [wide, tall] = picture ? [picture.width, picture.height] : [columns, rows];
  const high = Math.round((SAVED_WIDTH * tall) / wide);
  const names = (state.several ?? [wordInFocus(main)]).flatMap((word) => regionWords(main)[word]?.label ?? []);
  const [width, height] = [SAVED_WIDTH + 2 * SAVED_MARGIN, 44 + high + (names.length + 2) * SAVED_LINE + SAVED_MARGIN];
  const ink = theme.dark ? "#f2f2f2" : "#111111";
  const viewBox = `0 0 ${width} ${height}`;
  const svg = node("svg", { xmlns: SVG, width, height, viewBox, "font-family": "system-ui, sans-serif" });
  svg.append(node("rect", { width, height, fill: `rgb(${theme.ground.join(",")})` }));
  const heading = titled(scene.trace, main, viewTitle(main.view));
  svg.append(text(heading, { x: SAVED_MARGIN, y: 24, fill: ink, "font-size": 16, "font-weight": 600 }));
  svg.append(embedded((canvas) => paintUnder(canvas, scene, high), SAVED_MARGIN, 44, SAVED_WIDTH, high));
  const weights = embedded(
    (canvas) => paintWeights(canvas, scene, main, SAVED_WIDTH, high),
    SAVED_MARGIN,
    44,
    SAVED_WIDTH,
    high,
  );
  weights.setAttribute("opacity", String(state.opacity));
  svg.append(weights);
  let y = 44 + high;
  names.forEach((name, i) => {
    y += SAVED_LINE;
    const fill = state.several ? `rgb(${WORD_COLOURS[i % WORD_COLOURS.length]})` : ink;
    if (state.several) svg.append(node("rect", { x: SAVED_MARGIN, y: y - 12, width: 12, height: 12, fill }));
    svg.append(text(short(name), { x: SAVED_MARGIN + (state.several ? 20 : 0), y, fill: ink, "font-size": 16 }));
  });
  const told = restingOn(main).filter(({ part, weight }) => !part || weight >= SAVED_SHARE);
  const beside = told.map(({ label, weight }) => `${short(label)} ${decimals(weight)}`);
  const said = [coloursInWords(scene), beside.length ? `Beside the picture: ${beside.join(", ")}.` : ""];
  for (const line of said) {
    y += SAVED_LINE;
    svg.append(text(line, { x: SAVED_MARGIN, y, fill: ink, "font-size": 12 }));
  }
  return svg;
}

/** @param {Scene} scene */
function coloursInWords({ main, state }) {
  const { one } = wordsOf(main.sheet);
  if (state.several) return `In full colour: each ${one}’s own maximum.`;
  const whose = { word: `this ${one}'s own maximum`, head: "this map's own maximum" }[state.scale];
  return `${state.colours}, 0 to ${main.top.toFixed(2)} (${whose ?? "the maximum of all maps"}).`;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {number} high
 */
function paintUnder(canvas, { picture, state }, high) {
  canvas.width = SAVED_WIDTH;
  canvas.height = high;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.filter = state.several ? "grayscale(1)" : "none";
  if (picture) drawPicture(context, picture, [0, 0, SAVED_WIDTH, high]);
}
