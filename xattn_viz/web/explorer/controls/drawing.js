import { LINKED, levelOf, tableFor } from "../core/colours.js";
import { makeSvg } from "../core/dom.js";
import { widthOf } from "../core/mapframe.js";
import { patchGrid, regionWords, wordInFocus } from "../picture/patches.js";
import { drawPicture, paintWeights, WORD_COLOURS } from "../picture/region.js";
import { paintSound, paintSoundCells } from "../sound/soundpaint.js";
import { ticks } from "../sound/time.js";

/**
 * A map drawn as SVG, to be saved: between tokens, over sound, or over a picture.
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../sound/sound.js").Sound} Sound
 * @typedef {import("../sound/sound.js").Stretch} Stretch
 *
 * @typedef {object} Drawing a map with its labels, without what stands around it
 * @property {number} width
 * @property {number} height
 * @property {[number, number, number, number]} map where its cells or its picture lie: left, top, width and height
 * @property {(svg: SVGSVGElement, top: number) => void} draw
 */

export const EDGE = 14;
export const TEXT_FONT = 13;
/** The room of an axis's title before the labels. */
export const AXIS_TITLE = 20;

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
 * @param {string} content
 * @param {Record<string, string | number>} attributes
 */
export function text(content, attributes) {
  return makeSvg("text", { ...attributes, "unicode-bidi": "isolate" }, content);
}

/** @param {Scene} scene */
export function inkOf({ theme }) {
  return theme.dark ? "#f2f2f2" : "#111111";
}

const CELL = 28;

/**
 * A map between tokens, every cell a rectangle.
 *
 * @param {Scene} scene
 * @param {Matrix} m
 * @returns {Drawing}
 */
export function cellsDrawing(scene, m) {
  const { theme, shown } = scene;
  const table = tableFor(theme, shown);
  const longest = (/** @type {{label: string}[]} */ all) =>
    Math.max(...all.map(({ label }) => widthOf(short(label), TEXT_FONT)), 0);
  const left = AXIS_TITLE + longest(m.rows) + 2 * EDGE;
  const above = AXIS_TITLE + longest(m.columns) * Math.SQRT1_2 + 2 * EDGE;
  const [wide, high] = [m.columns.length * CELL, m.rows.length * CELL];
  /** @type {Drawing["draw"]} */
  const draw = (svg, top) => {
    // While one steps through the rows, those to come are left out as on screen.
    m.values.subarray(0, shown.written * m.columns.length).forEach((value, i) => {
      const [r, c] = [Math.floor(i / m.columns.length), i % m.columns.length];
      const [x, y] = [left + c * CELL, top + above + r * CELL];
      if (Number.isNaN(value)) {
        const line = { d: `M${x} ${y + CELL}l${CELL} ${-CELL}`, stroke: inkOf(scene), "stroke-opacity": 0.4 };
        svg.append(makeSvg("path", line));
        return;
      }
      if (!m.rows[r].positions.length || !m.columns[c].positions.length) return; // what only the other map has
      const at = levelOf(shown, value) * 3;
      const fill = `rgb(${[...table.subarray(at, at + 3)].join(",")})`;
      svg.append(makeSvg("rect", { x, y, width: CELL, height: CELL, fill, "shape-rendering": "crispEdges" }));
    });
    const size = { fill: inkOf(scene), "font-size": TEXT_FONT };
    m.rows.slice(0, shown.written).forEach((row, r) => {
      const y = top + above + (r + 0.5) * CELL + 4;
      svg.append(text(short(row.label), { ...size, x: left - 8, y, "text-anchor": "end" }));
    });
    m.columns.forEach((column, c) => {
      const [x, y] = [left + (c + 0.5) * CELL, top + above - 8];
      svg.append(text(short(column.label), { ...size, transform: `translate(${x} ${y}) rotate(-45)` }));
    });
    for (const { row, column } of shown.linked.filter((cell) => cell.row < shown.written)) {
      const [x, y] = [left + column * CELL + 1.5, top + above + row * CELL + 1.5];
      svg.append(...outlined(x, y, CELL - 3, CELL - 3, LINKED));
    }
    const { row, column } = shown.focus;
    if (row >= 0) svg.append(...outlined(left, top + above + row * CELL, wide, CELL));
    if (column >= 0) svg.append(...outlined(left + column * CELL, top + above, CELL, high));
  };
  return { width: left + wide + above - AXIS_TITLE, height: above + high + EDGE, map: [left, above, wide, high], draw };
}

/**
 * A light line on a dark one shows on every colour.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} width
 * @param {number} height
 */
function outlined(x, y, width, height, light = "#fff") {
  const d = `M${x + 1} ${y + 1}h${width - 2}v${height - 2}h${2 - width}z`;
  return [
    makeSvg("path", { d, fill: "none", stroke: "#000", "stroke-width": 3 }),
    makeSvg("path", { d, fill: "none", stroke: light, "stroke-width": 1.5 }),
  ];
}

const WIDE = 1100;
const SOUND = 120;
const ROW = 20;
const FRAME_ROWS = 600; // the height of rows that are frames
const RULER = 26;

/**
 * A map over sound: what is in view, with its spectrogram and its seconds. Sound and weights are embedded as pixels,
 * since a minute has thousands of frames.
 *
 * @param {Scene} scene
 * @param {Matrix} m
 * @returns {Drawing}
 */
export function soundDrawing(scene, m) {
  const { theme, shown } = scene;
  const range = /** @type {Stretch} */ (shown.range);
  const sound = /** @type {Sound} */ (shown.sound);
  const frames = shown.sheet.queries.edges;
  const high = frames ? FRAME_ROWS : m.rows.length * ROW;
  const longest = Math.max(...m.rows.map(({ label }) => widthOf(short(label), TEXT_FONT)));
  const left = AXIS_TITLE + (frames ? 60 : longest + 2 * EDGE);
  const begins = AXIS_TITLE + EDGE;
  const above = begins + SOUND + RULER;
  const size = { fill: inkOf(scene), "font-size": TEXT_FONT };
  /** @type {Drawing["draw"]} */
  const draw = (svg, top) => {
    const begin = top + begins;
    svg.append(
      embedded((canvas) => paintSound(canvas, sound, range, WIDE, SOUND, theme), left, begin, WIDE, SOUND),
      embedded((canvas) => paintSoundCells(canvas, scene, shown, range, WIDE, high), left, top + above, WIDE, high),
    );
    for (const { time, label } of ticks(range, WIDE, 60)) {
      const x = left + ((time - range.from) / (range.to - range.from)) * WIDE;
      svg.append(makeSvg("rect", { x, y: begin + SOUND, width: 1, height: 6, fill: inkOf(scene) }));
      svg.append(text(label, { ...size, x, y: begin + SOUND + 20, "text-anchor": "middle" }));
    }
    svg.append(...(frames ? secondsOf(frames, left, top + above, high, size) : labelsOf(m, left, top + above, size)));
    const { row } = shown.focus;
    if (row >= 0 && !frames) svg.append(...outlined(left, top + above + row * ROW, WIDE, ROW));
  };
  return {
    width: left + WIDE + EDGE,
    height: above + high + EDGE,
    map: [left, begins, WIDE, above - begins + high],
    draw,
  };
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
function embedded(paint, x, y, width, height) {
  const canvas = document.createElement("canvas");
  paint(canvas);
  return makeSvg("image", { x, y, width, height, href: canvas.toDataURL("image/png"), preserveAspectRatio: "none" });
}

const SAVED_WIDTH = 640; // of the picture
const NAME = 22; // the height of a word's name

/**
 * A map over a picture: the picture with the weights over it as pixels, the words that they are of as text.
 *
 * @param {Scene} scene
 * @returns {Drawing}
 */
export function pictureDrawing(scene) {
  const { shown: main, state } = scene;
  const { picture } = main;
  const [rows, columns] = patchGrid(main.sheet);
  const [wide, tall] = picture ? [picture.width, picture.height] : [columns, rows];
  const high = Math.round((SAVED_WIDTH * tall) / wide);
  const several = main.apart ? null : state.several;
  const names = (several ?? [wordInFocus(main)]).flatMap((word) => regionWords(main)[word]?.label ?? []);
  /** @type {(paint: (canvas: HTMLCanvasElement) => void, top: number) => SVGImageElement} */
  const pixels = (paint, top) => embedded(paint, EDGE, top + EDGE, SAVED_WIDTH, high);
  /** @type {Drawing["draw"]} */
  const draw = (svg, top) => {
    const weights = pixels((canvas) => paintWeights(canvas, scene, main, SAVED_WIDTH, high), top);
    weights.setAttribute("opacity", String(state.opacity));
    svg.append(
      pixels((canvas) => paintUnder(canvas, scene, high), top),
      weights,
    );
    names.forEach((name, i) => {
      const y = top + EDGE + high + NAME * (i + 1);
      const fill = several ? `rgb(${WORD_COLOURS[i % WORD_COLOURS.length]})` : inkOf(scene);
      if (several) svg.append(makeSvg("rect", { x: EDGE, y: y - 12, width: 12, height: 12, fill }));
      svg.append(text(short(name), { x: EDGE + (several ? 20 : 0), y, fill: inkOf(scene), "font-size": 16 }));
    });
  };
  const height = EDGE + high + names.length * NAME + EDGE;
  return { width: SAVED_WIDTH + 2 * EDGE, height, map: [EDGE, EDGE, SAVED_WIDTH, high], draw };
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Scene} scene
 * @param {number} high
 */
function paintUnder(canvas, { shown: { picture, apart }, state }, high) {
  canvas.width = SAVED_WIDTH;
  canvas.height = high;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.filter = state.several || apart ? "grayscale(1)" : "none";
  if (picture) drawPicture(context, picture, [0, 0, SAVED_WIDTH, high]);
}
