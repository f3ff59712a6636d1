import { inkOn } from "../explorer/core/colours.js";
import { isolated, make } from "../explorer/core/dom.js";
import { colourOf } from "./grid.js";

/**
 * Lines of text whose parts may be tinted, marked, and have a word below them.
 *
 * @typedef {import("../explorer/core/colours.js").Theme} Theme
 *
 * @typedef {object} Part
 * @property {string} text
 * @property {number} [shade] 0 … 1
 * @property {string} [below] what stands below it
 * @property {boolean} [marked]
 * @property {string} [title]
 *
 * @typedef {object} Tokens
 * @property {"tokens"} kind
 * @property {{name: string, parts: Part[]}[]} lines
 */

/**
 * @param {Tokens} data
 * @param {Theme} theme
 */
export function drawTokens(data, theme) {
  const list = make("div", { class: "xv-lines" });
  for (const line of data.lines) {
    const text = make("div", { class: "xv-line", dir: directionOf(line.parts.map((part) => part.text).join(" ")) });
    for (const part of line.parts) text.append(makePart(part, theme), " ");
    list.append(make("div", { class: "xv-of-line" }, make("span", { class: "xv-line-name" }, line.name), text));
  }
  return list;
}

/**
 * @param {Part} part
 * @param {Theme} theme
 */
function makePart(part, theme) {
  const word = isolated(part.text, "xv-word");
  if (part.shade !== undefined && part.shade > 0) {
    const colour = colourOf(part.shade, theme);
    word.style.background = `rgb(${colour.join(" ")})`;
    word.style.color = inkOn(colour);
  }
  const element = make(part.marked ? "mark" : "span", { class: "xv-part", title: part.title ?? false }, word);
  if (part.below) element.append(isolated(part.below, "xv-below"));
  return element;
}

/**
 * In which direction a text runs, by its first letter: the browser does not look into isolated words for it.
 *
 * @param {string} text
 */
export function directionOf(text) {
  const first = /[\p{L}]/u.exec(text)?.[0] ?? "";
  return /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/.test(first) ? "rtl" : "ltr";
}
