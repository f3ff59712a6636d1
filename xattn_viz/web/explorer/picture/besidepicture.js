import { isolated, make } from "../core/dom.js";
import { carried, wordsOf } from "../core/kinds.js";
import { decimals } from "../core/numbers.js";
import { sharesIn } from "./box.js";
import { WORD_COLOURS } from "./region.js";
import { isBeside, isSeenTwice, sideSeen, wordsSeen } from "./seen.js";

/**
 * What stands beside a picture: how much rests on positions that have no place in it, special ones and the words of a
 * hint; the words whose regions are shown in colours; and each word's share in the box that is drawn.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
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
    const row = sideSeen(panel.sheet) === "columns" ? carried(scene.main.sheet, panel.sheet, scene.state).row : -1;
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
    if (cell && last) change({ ...carried(last.panel.sheet, last.scene.main.sheet, cell), checked: null, step: -1 });
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
    const told = JSON.stringify([panel.sheet.id, found.map(({ label, part }) => [label, part])]);
    if (told !== chipped) {
      chipped = told;
      const begins = found.map(({ part }, i) => i === 0 || part !== found[i - 1].part);
      chips.replaceChildren(
        ...found.flatMap((one, i) => (begins[i] ? [headingOf(one.part), chipOf(one)] : [chipOf(one)])),
      );
    }
    const buttons = chips.querySelectorAll("button");
    found.forEach(({ weight, column }, i) => {
      const chip = buttons[i];
      /** @type {HTMLElement} */ (chip.lastChild).textContent = decimals(weight);
      chip.style.setProperty("--xv-share", `${Math.round(weight * 100)}%`);
      chip.classList.toggle("xv-focus", panel.focus.column === column);
    });
    const words = scene.state.several ?? [];
    const naming = JSON.stringify([words, panel.sheet.id, scene.state.units, wordsSeen(panel).length]);
    if (naming !== coloured) {
      coloured = naming;
      named.replaceChildren(...words.map((word, i) => nameOf(wordsSeen(panel)[word], i)));
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
    shares.hidden = !box || isSeenTwice(panel.sheet);
    if (!box || shares.hidden) return;
    const told = JSON.stringify([box, panel.sheet.id, panel.view.name, units, rows, special]);
    if (told === shared) return;
    shared = told;
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
  const rows = focus.row >= 0 ? [focus.row] : m.rows.map((_, r) => r);
  return m.columns.flatMap((group, column) => {
    if (!isBeside(sheet.keys, group)) return [];
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
  const title = `How much rests on ${label}, which has no place in the picture`;
  const button = make("button", { type: "button", class: "xv-button xv-chip", "data-column": column, title });
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
