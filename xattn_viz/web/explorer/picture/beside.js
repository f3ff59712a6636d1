import { isolated, make } from "../core/dom.js";
import { cellIn, wordsOf } from "../core/kinds.js";
import { decimals } from "../core/matrix.js";
import { isBeside, isPatchToPatch, patchGrid, patchSide, regionOf, regionWords } from "./patches.js";
import { WORD_COLOURS } from "./region.js";

/**
 * What stands beside a picture: how much rests on positions that have no place in it, special ones and the words of a
 * hint; the words whose regions are shown in colours; and each word's share in the box that is drawn.
 *
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 */

/** @param {import("../core/scene.js").Change} change */
export function makeBeside(change) {
  const chips = make("div", { class: "xv-chips", role: "group", "aria-label": "Beside the picture" });
  const named = make("ul", { class: "xv-named", "aria-label": "Words and their colours" });
  const shares = make("div", { class: "xv-shares" });
  const element = make("div", { class: "xv-beside-picture" }, named, shares, chips);
  /** @type {{scene: Scene, panel: Panel} | null} */
  let last = null;
  let [chipped, coloured, shared] = ["", "", ""];
  const cellOf = (/** @type {Event} */ event) => {
    const chip = event.target instanceof Element ? event.target.closest("button") : null;
    if (!chip || !last) return null;
    const { scene, panel } = last;
    const column = Number(chip.dataset.column);
    const row = patchSide(panel.sheet) === "columns" ? cellIn(scene.main.sheet, panel.sheet, scene.state).row : -1;
    return { row, column };
  };
  const hovered = (/** @type {Event} */ event) => {
    const cell = cellOf(event);
    if (cell && last) change({ hover: { ...cell, kind: last.panel.sheet.kind } });
  };
  chips.addEventListener("pointerover", hovered);
  chips.addEventListener("focusin", hovered);
  chips.addEventListener("pointerleave", () => change({ hover: null }));
  chips.addEventListener("focusout", () => change({ hover: null }));
  chips.addEventListener("click", (event) => {
    const cell = cellOf(event);
    if (cell && last) change({ ...cellIn(last.panel.sheet, last.scene.main.sheet, cell), checked: null, step: -1 });
  });
  shares.addEventListener("click", (event) => {
    if (event.target instanceof Element && event.target.closest("button")) change({ box: null });
  });

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   */
  function paint(scene, panel) {
    last = { scene, panel };
    const found = restingOn(panel);
    const look = JSON.stringify([panel.sheet.id, found.map(({ label, part }) => [label, part])]);
    if (look !== chipped) {
      chipped = look;
      const begins = found.map(({ part }, i) => i === 0 || part !== found[i - 1].part);
      chips.replaceChildren(
        ...found.flatMap((one, i) => (begins[i] ? [headingOf(one.part), chipOf(one)] : [chipOf(one)])),
      );
    }
    const buttons = chips.querySelectorAll("button");
    found.forEach(({ weight, column }, i) => {
      const chip = buttons[i];
      /** @type {HTMLElement} */ (chip.lastChild).textContent = decimals(weight);
      chip.style.setProperty("--xv-share", `${Math.round(Math.abs(weight) * 100)}%`);
      chip.classList.toggle("xv-focus", panel.focus.column === column);
    });
    const words = (!panel.apart && scene.state.several) || [];
    const naming = JSON.stringify([words, panel.sheet.id, scene.state.units, regionWords(panel).length]);
    if (naming !== coloured) {
      coloured = naming;
      named.replaceChildren(...words.map((word, i) => nameOf(regionWords(panel)[word], i)));
    }
    named.hidden = !words.length;
    paintShares(scene, panel);
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   */
  function paintShares(scene, panel) {
    const { box, units, rows, special } = scene.state;
    shares.hidden = !box || isPatchToPatch(panel.sheet) || panel.apart;
    if (!box || shares.hidden) return;
    const look = JSON.stringify([box, panel.sheet.id, panel.view.name, units, rows, special]);
    if (look === shared) return;
    shared = look;
    const area = box.width * box.height;
    const close = make("button", { type: "button", class: "xv-button", "aria-label": "Take the box away" }, "✕");
    const heading = make("p", {}, `In the box, of each ${wordsOf(panel.sheet).one}’s weight on the picture:`, close);
    const list = make("dl", {}, ...barOf(make("em", {}, "of its area"), area, "xv-area"));
    for (const { word, share } of sharesIn(box, panel)) list.append(...barOf(isolated(word.label), share, ""));
    list.style.setProperty("--xv-area", `${area * 100}%`);
    shares.replaceChildren(heading, list);
  }
  return { element, paint };
}

/**
 * What rests on positions that are no patches: of the row in focus, else the mean over all rows. `part` names the one
 * of several sequences that a position belongs to; the first of them is the picture, "" here.
 *
 * @param {Panel} panel
 */
export function restingOn({ sheet, matrix: m, focus }) {
  if (!m) return [];
  const width = m.columns.length;
  const all = m.rows.flatMap(({ positions, alone }, r) => (positions.length && !alone ? [r] : []));
  const rows = focus.row >= 0 ? [focus.row] : all;
  return m.columns.flatMap((group, column) => {
    if (!isBeside(sheet.keys, group) || group.alone) return [];
    const weight = rows.reduce((sum, r) => sum + m.values[r * width + column], 0) / rows.length;
    const [at] = group.positions;
    const part = sheet.keys.parts?.slice(1).find(([, start, end]) => start <= at && at < end)?.[0] ?? "";
    return [{ label: group.label, column, weight, part }];
  });
}

/** @param {string} part */
function headingOf(part) {
  return make("span", {}, part ? part[0].toUpperCase() + part.slice(1) : "Beside the picture");
}

/** @param {{label: string, column: number}} chip */
function chipOf({ label, column }) {
  const help = `How much rests on ${label}, which has no place in the picture`;
  const button = make("button", {
    type: "button",
    class: "xv-button xv-chip",
    "data-column": column,
    "data-help": help,
  });
  button.append(isolated(label), make("span", {}));
  return button;
}

/**
 * @param {import("../core/units.js").Group | undefined} word
 * @param {number} number
 */
function nameOf(word, number) {
  const swatch = make("span", { class: "xv-swatch", "aria-hidden": "true" });
  swatch.style.background = `rgb(${WORD_COLOURS[number % WORD_COLOURS.length]})`;
  return make("li", {}, swatch, isolated(word?.label ?? ""));
}

/**
 * @param {Node} name
 * @param {number} share
 * @param {string} look
 */
function barOf(name, share, look) {
  const bar = make("span", { class: "xv-share-bar", "aria-hidden": "true" });
  bar.style.setProperty("--xv-share", `${share * 100}%`);
  const value = make(
    "dd",
    { class: look, "data-share": share.toFixed(4) },
    bar,
    make("span", {}, `${(share * 100).toFixed(0)} %`),
  );
  return [make("dt", {}, name), value];
}

/**
 * The share of each word's weight on the picture that lies in a box: a patch that the box cuts counts by the part of it
 * that is inside. A word without weight on the picture has none.
 *
 * @param {import("./picturepointer.js").Box} box
 * @param {import("../core/scene.js").Panel} panel
 * @returns {{word: import("../core/units.js").Group, number: number, share: number}[]} in reading order, special ones left out
 */
function sharesIn(box, panel) {
  const [rows, columns] = patchGrid(panel.sheet);
  const across = covered(box.x, box.width, columns);
  const down = covered(box.y, box.height, rows);
  return regionWords(panel).flatMap((word, number) => {
    const region = word.special ? null : regionOf(panel.sheet, panel.view, word);
    if (!region) return [];
    let [inside, all] = [0, 0];
    region.weights.forEach((weight, patch) => {
      inside += weight * across[patch % columns] * down[Math.floor(patch / columns)];
      all += weight;
    });
    return [{ word, number, share: all > 0 ? inside / all : 0 }];
  });
}

/**
 * How much of each cell along one side lies in a stretch.
 *
 * @param {number} start
 * @param {number} length
 * @param {number} cells
 */
function covered(start, length, cells) {
  return Array.from({ length: cells }, (_, i) => {
    const [from, to] = [Math.max(start * cells, i), Math.min((start + length) * cells, i + 1)];
    return Math.max(to - from, 0);
  });
}
