import { isolated, make, rem } from "../core/dom.js";
import { widthOf } from "../text/grid.js";
import { ticks } from "./time.js";

/**
 * What stands on a time axis besides pictures: round seconds, and the words where there is room for them.
 *
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {import("./sound.js").Stretch} Stretch
 */

const TICKS_APART = 64; // pixels at a font size of 16
const WORD_FONT = 12;
const UNIT_WIDTH = 44;

/**
 * @param {HTMLElement} element
 * @param {Stretch} range
 * @param {number} width
 */
export function fillRuler(element, range, width) {
  const marks = ticks(range, width, TICKS_APART * rem()).flatMap(({ time, label }) => {
    const left = ((time - range.from) / (range.to - range.from)) * width;
    if (left > width - UNIT_WIDTH * rem()) return []; // the unit stands there
    const mark = make("span", { class: "xv-tick" }, label);
    mark.style.left = `${left}px`;
    return [mark];
  });
  element.replaceChildren(...marks, make("span", { class: "xv-tick-unit" }, "s"));
}

/**
 * The words that lie in view, each a button over its own time; a word that does not fit stands there without its text.
 *
 * @param {HTMLElement} element
 * @param {Sound} sound
 * @param {Stretch} range
 * @param {number} width
 */
export function fillWords(element, sound, range, width) {
  const scale = width / (range.to - range.from);
  const shown = sound.words.flatMap((word, number) => {
    const left = Math.max((word.start - range.from) * scale, 0);
    const right = Math.min((word.end - range.from) * scale, width);
    if (right - left < 1) return [];
    const fits = widthOf(word.text, WORD_FONT * rem()) + 4 <= right - left;
    const title = `${word.text}: ${word.start.toFixed(2)}–${word.end.toFixed(2)} s`;
    const button = make("button", { type: "button", class: "xv-said", title, "data-word": number, tabindex: -1 });
    if (fits) button.append(isolated(word.text));
    Object.assign(button.style, { left: `${left}px`, width: `${right - left}px` });
    return [button];
  });
  element.replaceChildren(...shown);
}
