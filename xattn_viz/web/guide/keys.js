import { make } from "../explorer/core/dom.js";
import { EXPLORER_HELP } from "../explorer/core/help.js";
import { seen, WIDGETS, widgetsSeen } from "./widgets.js";

/**
 * The list of keys and of the controls that a page has now, in a window of its own.
 */

/** @type {[string, string][]} */
const MAP_KEYS = [
  ["Enter", "in the field: ask the model"],
  ["← ↑ → ↓", "in the overview: another head; in the map: another cell; in a sentence: another token"],
  ["Enter or Space", "on a cell: how its weight comes about"],
  ["Escape", "takes back the chosen cell, closes what is open"],
  ["Tab", "to the next control"],
];
/** @type {Record<string, [string, string][]>} */
const MORE_KEYS = {
  audio: [
    ["Space", "plays and pauses"],
    ["+ − 0", "in the map: closer, farther, all of the sound"],
  ],
  image: [["Shift with ← ↑ → ↓", "in the picture: draws a box, and each word’s share in it is counted"]],
  prompt: [["Shift with ← ↑ → ↓", "in the picture: draws a box, and each word’s share in it is counted"]],
};
/** @type {[string, string, string][]} what is there, and the keys that it has besides */
const PARTS = [
  [".xv-easel", "← ↑ → ↓", "on a shape: moves it"],
  [".xv-easel", "Delete", "on a shape: takes it away"],
  [".xv-stepper", "← ↑ → ↓", "in a matrix: another cell, and how it comes about"],
  [".xv-stepper .xv-input", "Enter, or a number", "on a cell with ✎: changes it; ↑ and ↓ by 0.1, with Shift by 1"],
  [".xv-stepper .xv-input", "Escape", "takes back what was typed"],
  [".xv-story:not([hidden])", "t", "the talk, full screen; there ← and → turn the slides"],
];
/** @type {[string, string][]} */
const PLAIN_KEYS = [
  ["Tab", "to the next control"],
  ["Enter", "uses it"],
];

/**
 * @param {string} page
 * @param {import("./tour.js").Tour} tour
 */
export function makeKeys(page, tour) {
  const body = make("div", {});
  const close = make("button", { type: "button", class: "xv-button", autofocus: true }, "Close");
  const replay = make("button", { type: "button", class: "xv-button xv-forward" }, "Take the tour");
  const buttons = make("div", { class: "xv-tour-buttons" }, replay, close);
  const heading = make("h2", { id: "xv-keys-title" }, "Keys and controls");
  const element = make("dialog", { class: "xv-keys", "aria-labelledby": "xv-keys-title" }, heading, buttons, body);
  close.addEventListener("click", () => element.close());
  element.addEventListener("click", (event) => {
    if (event.target === element) element.close(); // beside what is written
  });
  replay.addEventListener("click", () => {
    element.close();
    tour.begin(true);
  });

  return {
    element,
    open() {
      const hasMap = seen(".xv[data-painted] .xv-stage").length > 0;
      const parts = PARTS.filter(([place]) => seen(place).length > 0).map(([, key, text]) => [key, text]);
      const keys = [...(hasMap ? [...MAP_KEYS, ...(MORE_KEYS[page] ?? [])] : PLAIN_KEYS), ...parts];
      replay.hidden = !tour.isPossible();
      body.replaceChildren(
        make("h3", {}, "Keys"),
        listOf(/** @type {[string, string][]} */ (keys), "kbd"),
        make("h3", {}, "Controls"),
        listOf(controls(), "b"),
      );
      element.showModal();
    },
  };
}

/**
 * @param {[string, string][]} lines
 * @param {"kbd" | "b"} tag
 */
function listOf(lines, tag) {
  return make(
    "dl",
    {},
    ...lines.flatMap(([name, text]) => [make("dt", {}, make(tag, {}, name)), make("dd", {}, text)]),
  );
}

/**
 * The controls that can be seen now, each with its line, in the order of the page.
 *
 * @returns {[string, string][]}
 */
function controls() {
  const there = widgetsSeen();
  const widgets = Object.entries(WIDGETS).filter(([key]) => there.has(key));
  const named = EXPLORER_HELP.flatMap(([selector, text]) => seen(selector).map((element) => [nameOf(element), text]));
  const own = seen(".xv [data-help]:not([data-view], .xv-go-on, .xv-readout *)").map((element) => [
    nameOf(element),
    element.dataset.help ?? "",
  ]);
  const all = [...widgets.map(([, said]) => said), ...named, ...own];
  return /** @type {[string, string][]} */ ([
    ...new Map(all.map(([name, text]) => [`${name} ${text}`, [name, text]])).values(),
  ]);
}

/** @param {HTMLElement} element */
function nameOf(element) {
  return (element.getAttribute("aria-label") ?? element.textContent ?? "").trim();
}
