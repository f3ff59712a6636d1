import { tableFor } from "../core/colours.js";
import { makeSvg } from "../core/dom.js";
import { axisTitles, wordsOf } from "../core/kinds.js";
import { widthOf } from "../core/mapframe.js";
import { decimals, readingOf } from "../core/matrix.js";
import { restingOn } from "../picture/beside.js";
import { isOverPicture } from "../picture/patches.js";
import { isOverSound, seconds } from "../sound/sound.js";
import { panelTitle } from "../text/heatmap.js";
import {
  AXIS_TITLE,
  cellsDrawing,
  EDGE,
  inkOf,
  pictureDrawing,
  short,
  soundDrawing,
  TEXT_FONT,
  text,
} from "./drawing.js";

/**
 * The chosen map as a file: an SVG made here, and a PNG of that SVG at three times its size. Around the map stands what every
 * file of it says (`export/shown.py` says the same): title, texts, what a row is, what is selected, model and day.
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const SHARPNESS = 3;
const LINE = 20;
const TITLE_FONT = 16;
const NARROWEST = 560;
const SAVED_SHARE = 0.05; // of a row: what other words than special ones are named with at least

/**
 * @param {Scene} scene
 * @param {string} format "PNG" or "SVG"
 */
export async function saveImage(scene, format) {
  const svg = mapSvg(scene);
  if (!svg) return;
  const written = new XMLSerializer().serializeToString(svg);
  const vector = new Blob([written], { type: "image/svg+xml" });
  download(format === "SVG" ? vector : await raster(svg, vector), `${fileName(scene)}.${format.toLowerCase()}`);
}

/**
 * "en-pt_cat-sat_L2H1": what a file of the chosen map is called, without its ending.
 *
 * @param {Scene} scene
 */
export function fileName({ trace, main, state, shown }) {
  const { layer, head, reduce } = main.view;
  const last = head === null ? String(reduce) : `H${head + 1}`;
  const parts = main.view.whole ? [] : [layer === null ? String(reduce) : `L${layer + 1}${last}`];
  if (main.sheet.kind !== "cross") parts.unshift(main.sheet.kind);
  if (state.units !== "pieces") parts.push(state.units);
  if (state.rows === "input") parts.push("read");
  if (shown.apart) parts.push("difference");
  return `${trace.about.stem}_${parts.join("-")}`;
}

/**
 * @param {Scene} scene
 * @returns {SVGSVGElement | null}
 */
function mapSvg(scene) {
  const m = scene.shown.matrix;
  if (!m) return null;
  const { theme, main, state, shown } = scene;
  const drawing = isOverSound(main)
    ? soundDrawing(scene, m)
    : isOverPicture(main)
      ? pictureDrawing(scene)
      : cellsDrawing(scene, m);
  const hasBar = !isOverPicture(main) || !state.several;
  const [left, down, wide, high] = drawing.map;
  const width = Math.max(drawing.width, left + wide + (hasBar ? BAR_ROOM : 0), NARROWEST);
  const fits = (/** @type {string[]} */ said) => said.flatMap((line) => wrapped(line, width - 2 * EDGE));
  const above = fits(pairsOf(scene));
  const below = fits(linesOf(scene, m));
  const top = EDGE + LINE * (1 + above.length);
  const ends = top + Math.max(drawing.height, hasBar ? down + BAR_LEAST + 2 * EDGE : 0);
  const height = ends + LINE * below.length + EDGE;
  const viewBox = `0 0 ${width} ${height}`;
  const svg = makeSvg("svg", { width, height, viewBox, "font-family": "system-ui, sans-serif" });
  const fill = inkOf(scene);
  const size = { x: EDGE, fill, "font-size": TEXT_FONT };
  const title = panelTitle(scene, shown, true);
  svg.append(makeSvg("rect", { width, height, fill: `rgb(${theme.ground.join(",")})` }));
  svg.append(text(title, { ...size, y: EDGE + 12, "font-size": TITLE_FONT, "font-weight": 600 }));
  above.forEach((line, i) => {
    svg.append(text(line, { ...size, y: EDGE + 12 + LINE * (i + 1) }));
  });
  drawing.draw(svg, top);
  if (!isOverPicture(main)) drawAxisTitles(svg, scene, [left, top + down, wide, high], top, [width, ends]);
  if (hasBar)
    drawColourBar(svg, scene, left + wide + EDGE + 6, top + down, Math.min(Math.max(high, BAR_LEAST), BAR_MOST));
  below.forEach((line, i) => {
    svg.append(text(line, { ...size, y: ends + LINE * (i + 1) - 6 }));
  });
  return svg;
}

/**
 * What was read and written: of both, with their names, where the map is the difference of two traces.
 *
 * @param {Scene} scene
 */
function pairsOf({ trace: { about, beside }, shown, compared }) {
  const both = shown.apart && compared && beside;
  const pairs = both ? [`${beside.names[0]}: ${about.pair}`, `${beside.names[1]}: ${beside.about.pair}`] : [about.pair];
  return pairs.filter(Boolean);
}

/**
 * What rows and columns are, along them: over the middle of the columns and upwards beside the rows, or where the
 * picture has room for it.
 *
 * @param {SVGSVGElement} svg
 * @param {Scene} scene
 * @param {[number, number, number, number]} map
 * @param {number} top
 * @param {[number, number]} ends of the picture, to the right and below
 */
function drawAxisTitles(svg, scene, [left, above, wide, high], top, [width, bottom]) {
  const { main, state } = scene;
  const size = { fill: inkOf(scene), "font-size": TEXT_FONT, "text-anchor": "middle" };
  const titles = axisTitles(main.sheet, state);
  const [row, column] = titles.map((title) => widthOf(title, TEXT_FONT) / 2 + 2);
  const x = Math.max(EDGE + column, Math.min(left + wide / 2, width - EDGE - column));
  svg.append(text(titles[1], { ...size, x, y: top + AXIS_TITLE - 4 }));
  const y = Math.max(top + row, Math.min(above + high / 2, bottom - row));
  svg.append(text(titles[0], { ...size, transform: `translate(${EDGE + AXIS_TITLE - 8} ${y}) rotate(-90)` }));
}

const BAR = 12; // how wide a colour bar is, in pixels
const [BAR_LEAST, BAR_MOST] = [80, 160]; // and how high
const BAR_ROOM = 100; // with its numbers and its name, beside a map

/**
 * The colours from 0, below, to where they end, with three weights beside them and what they are.
 *
 * @param {SVGSVGElement} svg
 * @param {Scene} scene
 * @param {number} left
 * @param {number} top
 * @param {number} high
 */
function drawColourBar(svg, scene, left, top, high) {
  const { shown } = scene;
  const table = tableFor(scene.theme, shown);
  for (let y = 0; y < high; y++) {
    const at = Math.round((1 - y / (high - 1)) * 255) * 3;
    const fill = `rgb(${[...table.subarray(at, at + 3)].join(",")})`;
    const d = `M${left} ${top + y}h${BAR}v${Math.min(2, high - y)}h-${BAR}z`;
    svg.append(makeSvg("path", { d, fill, "shape-rendering": "crispEdges" }));
  }
  const size = { fill: inkOf(scene), "font-size": TEXT_FONT };
  for (const share of [0, 0.5, 1]) {
    const weight = (shown.apart ? 2 * share - 1 : share) * shown.top;
    svg.append(text(decimals(weight), { ...size, x: left + BAR + 6, y: top + (1 - share) * high + 5 }));
  }
  const what = shown.apart ? "difference" : wordsOf(scene.main.sheet).share ? "share" : "weight";
  const place = `translate(${left + BAR + 6 + widthOf("0.000", TEXT_FONT) + 12} ${top + high / 2}) rotate(-90)`;
  svg.append(text(what, { ...size, "text-anchor": "middle", transform: place }));
}

/**
 * What stands below a map: what rows, columns and colours are, what is selected, whose model it is and the day.
 *
 * @param {Scene} scene
 * @param {Matrix} m
 */
function linesOf({ trace, main, state, theme, shown }, m) {
  const { sheet } = main;
  const words = wordsOf(sheet);
  const [row, column] = axisTitles(sheet, state);
  const edges = sheet.queries.edges;
  const rowSpan = edges ? `, ${seconds(edges[0])} to ${seconds(edges[edges.length - 1])}` : "";
  const { range } = shown;
  const columnSpan = sheet.keys.edges && range ? `, ${seconds(range.from)} to ${seconds(range.to)}` : "";
  const unit = { words: "word", sentences: "sentence" }[state.units];
  const named = readingOf(sheet, state) ? "read at step t, the start token first" : "predicted at step t";
  const special = [sheet.keys, sheet.queries].some((axis) => axis.special.includes(true));
  const reversed = theme.dark || isOverPicture(main) ? "" : ", reversed";
  const whose = { word: `this ${words.one}’s maximum`, head: "this map’s maximum" }[state.scale];
  const colours = `${state.colours}${reversed}, 0 to ${main.top.toFixed(2)}, ${whose ?? "the maximum of all maps"}`;
  const caption = [
    `Rows: ${row}${rowSpan}. Columns: ${column}${columnSpan}.`,
    row.includes("written") ? `Row t is named for the token ${named}.` : "",
    unit ? `Between ${unit}s: weights into a ${unit} are summed, those from it averaged.` : "",
    special && !state.special ? "Special tokens are left out: rows may sum to less than 1." : "",
    words.share ?? "",
    main.linked.length ? (trace.links?.said ?? "") : "",
  ];
  const many = isOverPicture(main) && state.several && !shown.apart;
  const models = [trace.about.model, (shown.apart && trace.beside?.about.model) || ""];
  return [
    [
      ...caption,
      shown.apart
        ? `Differences: blue below 0, red above, ${decimals(-shown.top)} to ${decimals(shown.top)}. Struck out: only in one of the two.`
        : many
          ? `In full colour: each ${words.one}’s own maximum.`
          : `${words.share ? "Shares" : "Weights"}: ${colours}.`,
    ]
      .filter(Boolean)
      .join(" "),
    isOverSound(main) ? "Each pixel shows the largest weight in it." : "",
    isOverPicture(main) ? besidePicture(shown) : "",
    selectedLine(shown, m),
    [...new Set(models), new Date().toLocaleDateString("sv")].filter(Boolean).join(", "),
  ].filter(Boolean);
}

/**
 * @param {import("../core/scene.js").Panel} panel
 * @param {Matrix} m
 */
function selectedLine({ focus }, m) {
  const [row, column] = [m.rows[focus.row]?.label, m.columns[focus.column]?.label];
  if (row !== undefined && column !== undefined) {
    const value = m.values[focus.row * m.columns.length + focus.column];
    return `Selected: ${row} → ${column}, ${Number.isNaN(value) ? "only in one of the two" : decimals(value)}.`;
  }
  return row !== undefined ? `Selected: row ${row}.` : column !== undefined ? `Selected: column ${column}.` : "";
}

/** @param {import("../core/scene.js").Panel} panel */
function besidePicture(panel) {
  const resting = restingOn(panel).filter(({ part, weight }) => !part || weight >= SAVED_SHARE);
  const listed = resting.map(({ label, weight }) => `${short(label)} ${decimals(weight)}`);
  return listed.length ? `Beside the picture: ${listed.join(", ")}.` : "";
}

/**
 * A text in lines of a width in pixels: broken at blanks, or within a word that is longer than a line.
 *
 * @param {string} said
 * @param {number} width
 */
function wrapped(said, width) {
  const lines = [""];
  for (const word of said.split(" ")) {
    const last = lines.at(-1);
    if (last && widthOf(`${last} ${word}`, TEXT_FONT) > width) lines.push(word);
    else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    for (let line = [...(lines.at(-1) ?? "")]; widthOf(line.join(""), TEXT_FONT) > width; ) {
      let fits = line.length - 1;
      while (fits > 1 && widthOf(line.slice(0, fits).join(""), TEXT_FONT) > width) fits--;
      lines.splice(-1, 1, line.slice(0, fits).join(""), line.slice(fits).join(""));
      line = line.slice(fits);
    }
  }
  return lines;
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
