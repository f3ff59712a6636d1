import { make } from "../explorer/core/dom.js";
import { drawCurves } from "./curves.js";
import { drawGrid } from "./grid.js";
import { drawLinks } from "./links.js";
import { drawTokens } from "./tokens.js";

/**
 * One figure of what was measured: a grid of numbers, two sentences with lines between their words, tokens with what
 * becomes of each, or curves. All text enters as text nodes.
 *
 * @typedef {import("./curves.js").Curves} Curves
 * @typedef {import("./grid.js").Grid} Grid
 * @typedef {import("./links.js").Links} Links
 * @typedef {import("./tokens.js").Tokens} Tokens
 *
 * @typedef {Grid | Links | Tokens | Curves} Figure
 */

/**
 * @param {Figure} data
 * @param {HTMLElement} root what it takes the place of
 * @param {import("../explorer/core/colours.js").Theme} theme
 * @param {(row: number, column: number) => void} choose is told of a click on a cell
 * @returns {() => void} what ends it
 */
export function drawFigure(data, root, theme, choose) {
  if (data.kind === "grid") root.replaceChildren(drawGrid(data, theme, choose));
  else if (data.kind === "tokens") root.replaceChildren(drawTokens(data, theme));
  else {
    const place = make("div", {});
    root.replaceChildren(place);
    return data.kind === "curves" ? drawCurves(data, place) : drawLinks(data, place);
  }
  return () => {};
}
