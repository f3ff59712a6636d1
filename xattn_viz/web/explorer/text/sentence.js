import { inkOn, mixed } from "../core/colours.js";
import { make } from "../core/dom.js";
import { helpOnSpecial } from "../core/help.js";
import { written } from "../core/units.js";
import { severalOf, wordClicked } from "../picture/patches.js";
import { WORD_COLOURS } from "../picture/region.js";

/**
 * One text whose every token can be hovered, focused and chosen.
 *
 * @typedef {import("../core/payload.js").Axis} Axis
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {"row" | "column"} Side
 *
 * @typedef {object} Look
 * @property {number} tint 0 … 1
 * @property {boolean} [unattended]
 * @property {boolean} [unsure]
 * @property {boolean} [repeated]
 * @property {boolean} [parked]
 * @property {boolean} [differs]
 */

/**
 * @param {Side} side
 * @param {string} name of its element's class
 * @param {import("../core/scene.js").Change} change
 * @param {(position: number) => void} [pressed] what a click on a token does besides
 */
export function makeSentence(side, name, change, pressed) {
  const caption = make("span", { class: "xv-caption", "aria-hidden": "true" });
  const text = make("div", { class: "xv-sentence", role: "listbox", dir: "auto" });
  text.setAttribute("aria-orientation", "horizontal");
  const element = make("div", { class: name }, caption, text);
  /** @type {HTMLElement[]} */
  let tokens = [];
  /** @type {number[]} */
  let place = [];
  let shown = "";
  let kind = "cross";
  /** @type {Scene | null} */
  let last = null;
  const cell = (/** @type {number} */ index) =>
    side === "row" ? { row: index, column: -1 } : { row: -1, column: index };
  const positionOf = (/** @type {Event} */ event) =>
    tokens.indexOf(
      /** @type {HTMLElement} */ (event.target instanceof Element ? event.target.closest(".xv-text") : null),
    );
  const hovered = (/** @type {Event} */ event) => {
    const position = positionOf(event);
    if (position >= 0 && place[position] >= 0) change({ hover: { ...cell(place[position]), kind } });
  };
  text.addEventListener("pointerover", hovered);
  text.addEventListener("focusin", (event) => {
    if (event.target instanceof Element && event.target.matches(":focus-visible")) hovered(event);
  });
  text.addEventListener("pointerleave", () => change({ hover: null }));
  text.addEventListener("focusout", () => change({ hover: null }));
  text.addEventListener("click", (event) => {
    const position = positionOf(event);
    if (position >= 0 && place[position] >= 0) change(wordClicked(last, side, place[position], event));
    if (position >= 0) pressed?.(position);
  });
  text.addEventListener("keydown", (event) => {
    const position = positionOf(event);
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      tokens[position]?.click();
      return;
    }
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -tokens.length, End: tokens.length }[event.key];
    if (step === undefined || position < 0) return;
    event.preventDefault();
    let next = Math.min(Math.max(position + step, 0), tokens.length - 1);
    while (tokens[next]?.hidden && next > 0 && next < tokens.length - 1) next += Math.sign(step);
    if (tokens[next]?.hidden) return;
    tokens[position].tabIndex = -1;
    tokens[next].tabIndex = 0;
    tokens[next].focus();
  });

  return {
    element,
    text,
    get tokens() {
      return tokens;
    },
    /**
     * Lays the text out anew where it changed.
     *
     * @param {Axis} axis
     * @param {boolean} special
     * @param {string} title
     * @param {string} said what stands before the text, where that needs saying
     */
    show(axis, special, title, said) {
      text.setAttribute("aria-label", title);
      caption.textContent = said;
      caption.hidden = !said;
      const key = JSON.stringify([axis.labels, axis.gaps, axis.rest, special]);
      if (key === shown) return;
      shown = key;
      tokens = axis.labels.map((_, position) => tokenElement(axis, position));
      const children = tokens.flatMap((token, position) => {
        token.hidden = axis.special[position] && !special;
        // Special tokens stand for no text: a blank keeps them apart from their neighbours.
        const apart = !axis.gaps || axis.special[position] || (axis.special[position - 1] && !axis.gaps[position]);
        return [apart ? " " : /** @type {string[]} */ (axis.gaps)[position], token];
      });
      text.replaceChildren(...children, axis.rest);
      const first = tokens.find((token) => !token.hidden);
      if (first) first.tabIndex = 0;
    },
    /**
     * @param {Scene} scene
     * @param {number[]} where the row or column of each position
     * @param {number} focused
     * @param {(index: number) => Look} looks
     */
    paint(scene, where, focused, looks) {
      place = where;
      kind = scene.main.sheet.kind;
      last = scene;
      const several = severalOf(scene, side);
      tokens.forEach((token, position) => {
        const index = where[position];
        const look = index >= 0 ? looks(index) : { tint: 0 };
        const tinted = look.tint > 0.01;
        const colour = mixed(scene.theme.ground, scene.theme.accent, look.tint);
        token.style.backgroundColor = tinted ? `rgb(${colour.join(" ")})` : "";
        token.style.color = tinted ? inkOn(colour) : "";
        token.dataset.tint = look.tint.toFixed(3);
        const among = several.indexOf(index);
        token.style.borderBlockEnd = among < 0 ? "" : `4px solid rgb(${WORD_COLOURS[among % WORD_COLOURS.length]})`;
        token.classList.toggle("xv-focus", index >= 0 && index === focused);
        token.classList.toggle("xv-unattended", Boolean(look.unattended));
        token.classList.toggle("xv-unsure", Boolean(look.unsure));
        token.classList.toggle("xv-repeated", Boolean(look.repeated));
        token.classList.toggle("xv-parked", Boolean(look.parked));
        token.classList.toggle("xv-differs", Boolean(look.differs));
        token.setAttribute("aria-selected", String(index >= 0 && index === focused));
      });
    },
    /**
     * Scrolls a long text to a row or column, unless the pointer is in the text: nothing moves away under it.
     *
     * @param {number} index
     */
    reveal(index) {
      if (text.scrollHeight <= text.clientHeight + 1 || text.matches(":hover")) return;
      const token = tokens[place.indexOf(index)];
      if (!token || token.hidden) return;
      const box = text.getBoundingClientRect();
      const { top, bottom } = token.getBoundingClientRect();
      if (top < box.top || bottom > box.bottom) text.scrollTop += (top + bottom - box.top - box.bottom) / 2;
    },
    /** @param {(position: number) => boolean} playing which tokens are heard right now */
    play(playing) {
      tokens.forEach((token, position) => {
        token.classList.toggle("xv-playing", playing(position));
      });
    },
    /** @param {number} step the last token that is written, -1 for all */
    write(step) {
      tokens.forEach((token, position) => {
        token.style.visibility = step >= 0 && position > step ? "hidden" : "";
      });
    },
  };
}

/**
 * @param {Axis} axis
 * @param {number} position
 */
function tokenElement(axis, position) {
  const looks = ["xv-text"];
  if (axis.special[position]) looks.push("xv-special");
  const text = written(axis, position);
  const token = make("bdi", { class: looks.join(" "), role: "option", tabindex: -1 }, text);
  if (axis.special[position]) token.dataset.help = helpOnSpecial(text);
  if (axis.blanks[position] !== undefined) {
    token.classList.add("xv-blank");
    token.setAttribute("aria-label", "blank");
  }
  return token;
}
