import { node, SVG, short, text } from "../controls/svg.js";
import { titled, wordsOf } from "../core/kinds.js";
import { decimals } from "../core/numbers.js";
import { viewTitle } from "../core/payload.js";
import { embedded } from "../sound/soundpicture.js";
import { restingOn } from "./besidepicture.js";
import { paintWeights } from "./overlay.js";
import { drawPicture, WORD_COLOURS } from "./region.js";
import { gridSeen, wordInFocus, wordsSeen } from "./seen.js";

/**
 * A map over a picture, to be saved: the picture with the weights over it as pixels, what they are of as text.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const SAVED_WIDTH = 640; // of the picture
const SAVED_MARGIN = 14;
const SAVED_LINE = 22;
const SAVED_SHARE = 0.05; // of a row: what other words than special ones are named with at least

/**
 * @param {Scene} scene
 * @returns {SVGSVGElement}
 */
export function seenPicture(scene) {
  const { theme, main, picture, state } = scene;
  const [rows, columns] = gridSeen(main.sheet);
  const [wide, tall] = picture ? [picture.width, picture.height] : [columns, rows];
  const high = Math.round((SAVED_WIDTH * tall) / wide);
  const names = (state.several ?? [wordInFocus(main)]).flatMap((word) => wordsSeen(main)[word]?.label ?? []);
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
  const said = [coloursSaid(scene), beside.length ? `Beside the picture: ${beside.join(", ")}.` : ""];
  for (const line of said) {
    y += SAVED_LINE;
    svg.append(text(line, { x: SAVED_MARGIN, y, fill: ink, "font-size": 12 }));
  }
  return svg;
}

/** @param {Scene} scene */
function coloursSaid({ main, state }) {
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
