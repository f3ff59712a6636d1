import { node, SVG, short, text } from "../controls/svg.js";
import { KINDS, titled } from "../core/kinds.js";
import { viewTitle } from "../core/payload.js";
import { seconds } from "./sound.js";
import { paintHeard } from "./soundcells.js";
import { paintSound } from "./strip.js";
import { ticks } from "./time.js";

/**
 * A map over sound as a picture: what is in view, with its spectrogram and its seconds. Sound and weights are embedded
 * as pixels, since a minute has thousands of frames.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("./sound.js").Stretch} Stretch
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
export function soundPicture(scene, m) {
  const { theme, main, state, trace } = scene;
  const range = /** @type {Stretch} */ (scene.range);
  const sound = /** @type {import("./sound.js").Sound} */ (trace.sound);
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
    embedded((canvas) => paintHeard(canvas, scene, main, range, WIDE, high), left, top, WIDE, high),
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
  const rows = frames ? "seconds" : state.rows === "input" ? words.rowRead : words.row;
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
