import { isolated, make, makeSvg } from "../explorer/core/dom.js";
import { directionOf } from "./tokens.js";

/**
 * Two sentences, and a line between every two words that say the same: one above the other where both fit in one line,
 * else as two columns.
 *
 * @typedef {object} Links
 * @property {"links"} kind
 * @property {string} label
 * @property {[string, string]} names what the two sentences are
 * @property {string[]} source
 * @property {string[]} target
 * @property {[number, number, number][]} links source, target, weight 0 … 1
 */

/**
 * @param {Links} data
 * @param {HTMLElement} place
 * @returns {() => void} what ends it
 */
export function drawLinks(data, place) {
  const linked = [new Set(data.links.map((link) => link[0])), new Set(data.links.map((link) => link[1]))];
  const words = [data.source, data.target].map((texts, side) =>
    texts.map((text, i) => {
      const word = isolated(text, linked[side].has(i) ? "xv-end" : "xv-end xv-alone");
      word.tabIndex = 0;
      return word;
    }),
  );
  const sides = words.map((own, side) => {
    const line = make("div", { class: "xv-side", dir: directionOf([data.source, data.target][side].join(" ")) });
    line.append(...own);
    return make("div", { class: "xv-of-side" }, make("span", { class: "xv-line-name" }, data.names[side]), line);
  });
  const svg = makeSvg("svg", { "aria-hidden": "true" });
  const paths = data.links.map(([source, target, weight]) => {
    const said = `${data.source[source]} – ${data.target[target]}: ${weight.toFixed(2)}`;
    const path = makeSvg("path", {}, makeSvg("title", {}, said));
    path.style.strokeWidth = String(1.5 + 2.5 * weight);
    svg.append(path);
    return path;
  });
  const said = data.links.map(([source, target]) => `${data.source[source]} – ${data.target[target]}`).join(", ");
  place.className = "xv-links";
  place.replaceChildren(svg, ...sides, make("p", { class: "xv-unseen" }, `${data.label}: ${said}.`));

  /** @param {number} side @param {number} word */
  const light = (side, word) => {
    const isLit = data.links.map((link) => side >= 0 && link[side] === word);
    for (const [i, path] of paths.entries()) path.classList.toggle("xv-lit", isLit[i]);
    for (const [which, own] of words.entries()) {
      for (const [number, element] of own.entries()) {
        const lit = data.links.some((link, i) => isLit[i] && link[which] === number);
        element.classList.toggle("xv-lit", lit || (which === side && number === word));
      }
    }
    place.classList.toggle("xv-has-lit", side >= 0);
  };
  for (const [side, own] of words.entries()) {
    for (const [number, element] of own.entries()) {
      element.addEventListener("pointerenter", () => light(side, number));
      element.addEventListener("focus", () => light(side, number));
      element.addEventListener("blur", () => light(-1, -1));
    }
  }
  place.addEventListener("pointerleave", () => light(-1, -1));

  const fit = () => {
    place.classList.remove("xv-columns");
    const lines = sides.map((side) => /** @type {HTMLElement} */ (side.lastElementChild));
    const isWide = lines.some((line) => line.scrollWidth > line.clientWidth + 1);
    place.classList.toggle("xv-columns", isWide);
    const ground = place.getBoundingClientRect();
    svg.setAttribute("viewBox", `0 0 ${ground.width} ${ground.height}`);
    for (const [i, [source, target]] of data.links.entries()) {
      const [a, b] = [words[0][source], words[1][target]].map((word) => word.getBoundingClientRect());
      paths[i].setAttribute("d", isWide ? across(a, b, ground) : down(a, b, ground));
    }
  };
  const observer = new ResizeObserver(fit);
  observer.observe(place);
  document.fonts.ready.then(fit);
  return () => observer.disconnect();
}

/**
 * From below one word to above another.
 *
 * @param {DOMRect} a
 * @param {DOMRect} b
 * @param {DOMRect} ground
 */
function down(a, b, ground) {
  const [x0, y0] = [a.left + a.width / 2 - ground.left, a.bottom - ground.top + 1];
  const [x1, y1] = [b.left + b.width / 2 - ground.left, b.top - ground.top - 1];
  const middle = (y0 + y1) / 2;
  return `M${x0} ${y0}C${x0} ${middle} ${x1} ${middle} ${x1} ${y1}`;
}

/**
 * From the right edge of one word to the left edge of another.
 *
 * @param {DOMRect} a
 * @param {DOMRect} b
 * @param {DOMRect} ground
 */
function across(a, b, ground) {
  const [x0, y0] = [a.right - ground.left + 2, a.top + a.height / 2 - ground.top];
  const [x1, y1] = [b.left - ground.left - 2, b.top + b.height / 2 - ground.top];
  const middle = (x0 + x1) / 2;
  return `M${x0} ${y0}C${middle} ${y0} ${middle} ${y1} ${x1} ${y1}`;
}
