import { inkOn, mixed } from "./colours.js";
import { make } from "./dom.js";
import { drawLines } from "./lines.js";
import { columnMaxima, probability, rowAxis } from "./matrix.js";
import { PARKED, UNREAD, UNSURE } from "./scene.js";

/**
 * The two sentences as text: every token can be hovered, focused and chosen, and is tinted by its weight.
 *
 * @typedef {import("./payload.js").Axis} Axis
 * @typedef {import("./scene.js").Scene} Scene
 * @typedef {"row" | "column"} Side
 */

/** @param {import("./scene.js").Change} change */
export function makeSentences(change) {
  const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  lines.setAttribute("class", "xv-lines");
  lines.setAttribute("aria-hidden", "true");
  const source = makeSentence("Source sentence", "column", change);
  const output = makeSentence("Output sentence", "row", change);
  const page = make("div", { class: "xv-page" }, source.element, output.element);
  page.append(lines);
  const element = make("div", { class: "xv-sentences" }, page);
  /** @type {Scene | null} */
  let last = null;
  let focused = "";
  for (const { element: box } of [source, output]) {
    box.addEventListener("scroll", () => last && drawLines(lines, page, last, source.tokens, output.tokens));
  }

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const m = scene.main.matrix;
    const axis = rowAxis(scene.trace, scene.state);
    source.show(scene.trace.keys, scene.state.special);
    output.show(axis, scene.state.special);
    const length = scene.trace.keys.labels.length + axis.labels.length;
    element.dataset.length = length <= 34 ? "short" : length <= 90 ? "medium" : "long";
    page.classList.toggle("xv-words", scene.state.units === "words");
    if (!m) return;
    const { row, column } = scene.focus;
    const width = m.columns.length;
    const maxima = columnMaxima(m);
    source.paint(scene, m.columnOf, column, (c) => ({
      tint: row >= 0 ? m.values[row * width + c] / scene.main.top : 0,
      unread: !m.columns[c].special && maxima[c] < UNREAD,
    }));
    output.paint(scene, m.rowOf, row, (r) => ({
      tint: row < 0 && column >= 0 ? m.values[r * width + column] / scene.main.top : 0,
      unsure: probability(scene.trace, m.rows[r], scene.state) < UNSURE,
      parked: m.parked[r] >= PARKED,
    }));
    output.write(scene.state.step);
    const focus = [scene.trace.id, scene.main.view.name, row, column].join(" ");
    if (focus !== focused) {
      focused = focus;
      source.reveal(column >= 0 ? column : strongest(m.columns, (c) => m.values[row * width + c]));
      output.reveal(row >= 0 ? row : strongest(m.rows, (r) => m.values[r * width + column]));
    }
    drawLines(lines, page, scene, source.tokens, output.tokens);
  }
  return { element, paint };
}

/**
 * @param {unknown[]} all
 * @param {(index: number) => number} weight
 */
function strongest(all, weight) {
  return all.reduce((/** @type {number} */ best, _, i) => (weight(i) > weight(best) ? i : best), 0);
}

/**
 * @param {string} name
 * @param {Side} side
 * @param {import("./scene.js").Change} change
 */
function makeSentence(name, side, change) {
  const element = make("div", { class: `xv-sentence xv-${side}s`, role: "listbox", "aria-label": name, dir: "auto" });
  element.setAttribute("aria-orientation", "horizontal");
  /** @type {HTMLElement[]} */
  let tokens = [];
  /** @type {number[]} */
  let place = [];
  let shown = "";
  const cell = (/** @type {number} */ index) =>
    side === "row" ? { row: index, column: -1 } : { row: -1, column: index };
  const positionOf = (/** @type {Event} */ event) =>
    tokens.indexOf(
      /** @type {HTMLElement} */ (event.target instanceof Element ? event.target.closest(".xv-text") : null),
    );
  const hovered = (/** @type {Event} */ event) => {
    const position = positionOf(event);
    if (position >= 0 && place[position] >= 0) change({ hover: cell(place[position]) });
  };
  element.addEventListener("pointerover", hovered);
  element.addEventListener("focusin", (event) => {
    if (event.target instanceof Element && event.target.matches(":focus-visible")) hovered(event);
  });
  element.addEventListener("pointerleave", () => change({ hover: null }));
  element.addEventListener("focusout", () => change({ hover: null }));
  element.addEventListener("click", (event) => {
    const position = positionOf(event);
    if (position >= 0 && place[position] >= 0) change({ ...cell(place[position]), checked: null, step: -1 });
  });
  element.addEventListener("keydown", (event) => {
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
    get tokens() {
      return tokens;
    },
    /**
     * Lays the text out anew where it changed.
     *
     * @param {Axis} axis
     * @param {boolean} special
     */
    show(axis, special) {
      const key = JSON.stringify([axis.labels, axis.gaps, axis.rest, special]);
      if (key === shown) return;
      shown = key;
      tokens = axis.labels.map((label, position) =>
        make(
          "bdi",
          { class: axis.special[position] ? "xv-text xv-special" : "xv-text", role: "option", tabindex: -1 },
          label,
        ),
      );
      const children = tokens.flatMap((token, position) => {
        token.hidden = axis.special[position] && !special;
        // Special tokens stand for no text: a blank keeps them apart from their neighbours.
        return [axis.gaps && !axis.special[position] ? axis.gaps[position] : " ", token];
      });
      element.replaceChildren(...children, axis.rest);
      const first = tokens.find((token) => !token.hidden);
      if (first) first.tabIndex = 0;
    },
    /**
     * @param {Scene} scene
     * @param {number[]} where the row or column of each position
     * @param {number} focused
     * @param {(index: number) => {tint: number, unread?: boolean, unsure?: boolean, parked?: boolean}} looks
     */
    paint(scene, where, focused, looks) {
      place = where;
      tokens.forEach((token, position) => {
        const index = where[position];
        const look = index >= 0 ? looks(index) : { tint: 0 };
        const tinted = look.tint > 0.01;
        const colour = mixed(scene.theme.ground, scene.theme.accent, look.tint);
        token.style.backgroundColor = tinted ? `rgb(${colour.join(" ")})` : "";
        token.style.color = tinted ? inkOn(colour) : "";
        token.dataset.tint = look.tint.toFixed(3);
        token.classList.toggle("xv-focus", index >= 0 && index === focused);
        token.classList.toggle("xv-unread", Boolean(look.unread));
        token.classList.toggle("xv-unsure", Boolean(look.unsure));
        token.classList.toggle("xv-parked", Boolean(look.parked));
        token.setAttribute("aria-selected", String(index >= 0 && index === focused));
      });
    },
    /**
     * Scrolls a long text to a row or column, unless the pointer is in the text: nothing moves away under it.
     *
     * @param {number} index
     */
    reveal(index) {
      if (element.scrollHeight <= element.clientHeight + 1 || element.matches(":hover")) return;
      const token = tokens[place.indexOf(index)];
      if (!token || token.hidden) return;
      const box = element.getBoundingClientRect();
      const { top, bottom } = token.getBoundingClientRect();
      if (top < box.top || bottom > box.bottom) element.scrollTop += (top + bottom - box.top - box.bottom) / 2;
    },
    /** @param {number} step the last token that is written, -1 for all */
    write(step) {
      tokens.forEach((token, position) => {
        token.style.visibility = step >= 0 && position > step ? "hidden" : "";
      });
    },
  };
}
