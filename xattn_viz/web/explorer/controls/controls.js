import { COLOUR_MAPS, inkOn, tableFor } from "../core/colours.js";
import { checkbox, make } from "../core/dom.js";
import { cellIn, KINDS, wordsOf } from "../core/kinds.js";
import { decimals } from "../core/matrix.js";
import { viewTitle } from "../core/payload.js";
import { sheetOf } from "../core/scene.js";
import { fullName, NOTHING_CHOSEN } from "../core/state.js";
import { unitsOf } from "../core/units.js";
import { isOverPicture, patchSide } from "../picture/patches.js";
import { makePictureControls } from "../picture/picturecontrols.js";
import { isOverSound } from "../sound/sound.js";
import { saveImage } from "./save.js";

/**
 * The quiet row of switches above the maps, and the legend that names the colour scale.
 *
 * @typedef {import("../core/scene.js").Change} Change
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/state.js").State} State
 */

const COPIED_FOR = 6000; // milliseconds

/**
 * @param {Change} change
 * @param {() => boolean} canLink whether the page's address can say what is shown
 * @param {() => string} linking that address
 */
export function makeControls(change, canLink, linking) {
  /** @type {Scene | null} */
  let last = null;
  const faces = Object.fromEntries(Object.entries(KINDS).map(([kind, { face }]) => [kind, face]));
  const kinds = switcher("Attention", "map", faces, (changes) => last && change(otherKind(last, String(changes.map))));
  const units = switcher("Units", "units", { pieces: "Pieces", words: "Words", sentences: "Sentences" }, change);
  const rows = switcher("Rows are named for the token", "rows", { predicted: "Predicted", input: "Read" }, change);
  const scale = switcher("Colour scale", "scale", { word: "Per word", head: "Per head", common: "Common" }, change);
  const picture = makePictureControls(change);
  const special = checkbox("Special tokens", "Show tokens that are no words, such as the end </s>.", (checked) =>
    change({ special: checked, ...NOTHING_CHOSEN }),
  );
  const links = checkbox("Linked words", "Frame the words that say the same, as the evidence found.", (checked) =>
    change({ links: checked }),
  );
  const lines = checkbox(
    "All lines above",
    "Draw all lines between words, not only those of the chosen one.",
    (checked) => change({ lines: checked }),
  );
  const threshold = make("input", {
    type: "range",
    min: 0.05,
    max: 0.95,
    step: 0.05,
    "aria-label": "Lines above this weight",
  });
  threshold.addEventListener("input", () => change({ threshold: Number(threshold.value), lines: true }));
  const reach = make("output", { class: "xv-threshold" });
  const colours = make(
    "select",
    { "aria-label": "Colour map" },
    ...COLOUR_MAPS.map((name) => make("option", { value: name }, name)),
  );
  colours.addEventListener("change", () => change({ colours: colours.value }));
  const bar = makeColourBar();
  const shows = switcher(
    "What of two maps is shown",
    "shows",
    { both: "Side by side", difference: "Difference" },
    change,
  );
  const other = make("select", { "aria-label": "Head of the second trace" });
  other.addEventListener("change", () => change({ other: other.value }));
  let offered = "";
  const pin = make("button", { type: "button", class: "xv-button" });
  pin.addEventListener("click", () => {
    if (!last) return;
    const { sheet, view } = last.main;
    change({ pinned: last.state.pinned ? "" : fullName(sheet.kind, view.name) });
  });
  const save = ["PNG", "SVG"].map((format) => {
    const button = make(
      "button",
      { type: "button", class: "xv-button", "data-help": `Save the chosen map as ${format}` },
      format,
    );
    button.addEventListener("click", () => last && saveImage(last, format));
    return button;
  });
  const link = make(
    "button",
    { type: "button", class: "xv-button", "data-help": "Copy a link to what is shown" },
    "Copy link",
  );
  const copied = make("output", { class: "xv-copied" });
  link.addEventListener("click", async () => {
    copied.textContent =
      last?.trace.unlinked || ((await copyText(linking())) ? "Copied." : "This browser lets no page copy.");
    window.setTimeout(() => {
      copied.textContent = "";
    }, COPIED_FOR);
  });
  const lineControls = make("span", { class: "xv-line-controls" }, lines.element, threshold, reach);
  const element = make(
    "div",
    { class: "xv-controls", role: "group", "aria-label": "How the map is shown" },
    kinds.element,
    units.element,
    rows.element,
    special.element,
    links.element,
    scale.element,
    colours,
    bar.element,
    picture.element,
    lineControls,
    shows.element,
    other,
    pin,
    make("span", { class: "xv-switch" }, ...save),
    link,
    copied,
  );

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const { state, trace } = scene;
    const { sheet } = scene.main;
    kinds.show(
      sheet.kind,
      trace.sheets.map(({ kind }) => kind),
      Object.fromEntries(trace.sheets.map((each) => [each.kind, wordsOf(each).face])),
    );
    units.show(state.units, unitsOf(trace));
    rows.show(state.rows);
    rows.element.hidden = !sheet.read;
    const scales = isOverPicture(scene.main) ? ["word", "head", "common"] : ["head", "common"];
    scale.show(state.scale, scales, { word: `Per ${wordsOf(sheet).one}` });
    bar.paint(scene);
    picture.paint(scene);
    special.input.checked = state.special;
    special.element.hidden = !sheet.keys.special.includes(true) && !sheet.queries.special.includes(true);
    links.input.checked = state.links;
    links.element.hidden = !trace.links || state.units === "sentences" || ["encoder", "decoder"].includes(sheet.kind);
    lines.input.checked = state.lines;
    threshold.value = String(state.threshold);
    reach.textContent = state.threshold.toFixed(2);
    colours.value = state.colours;
    lineControls.hidden = state.units === "sentences" || isOverSound(scene.main) || isOverPicture(scene.main);
    shows.show(state.shows, scene.comparable ? ["both", "difference"] : []);
    offerViews(scene);
    pin.hidden = Boolean(trace.beside);
    link.hidden = !canLink();
    pin.textContent = state.pinned ? "Unpin" : "Pin";
    pin.dataset.help = state.pinned ? "Take the second map away" : "Keep this map beside the next one you choose";
  }

  /**
   * The views of the second trace, to be chosen apart from those of the first.
   *
   * @param {Scene} scene
   */
  function offerViews({ trace: { beside }, second, compared, state, main }) {
    other.hidden = !compared || !beside || !second;
    if (!beside || !second) return;
    const [name] = [beside.names[1]];
    const views = second.sheet.views.map((view) => [view.name, `${name}: ${viewTitle(view)}`]);
    const key = JSON.stringify([name, views]);
    if (key !== offered) {
      offered = key;
      const options = [["", `${name}: the same map`], ...views].map(([value, said]) => make("option", { value }, said));
      other.replaceChildren(...options);
    }
    other.value = state.other || (second.view.name === main.view.name ? "" : second.view.name);
  }
  return { element, paint };
}

/**
 * Puts a text on the clipboard, which pages that are not served safely can only do by way of a field.
 *
 * @param {string} text
 */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const field = make("textarea", {}, text);
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}

/**
 * The colours from 0 to where they end, with three weights on them.
 */
function makeColourBar() {
  const marked = [0, 0.5, 1];
  const element = make("span", { class: "xv-colour-bar" }, ...marked.map(() => make("span")));
  /** @param {Scene} scene */
  function paint({ theme, main, shown, state }) {
    const table = tableFor(theme, shown);
    element.hidden = isOverPicture(main) && Boolean(state.several) && !shown.apart;
    const rgb = (/** @type {number} */ share) => {
      const at = Math.round(share * 255) * 3;
      return /** @type {import("../core/colours.js").Rgb} */ ([table[at], table[at + 1], table[at + 2]]);
    };
    const stops = Array.from({ length: 17 }, (_, i) => `rgb(${rgb(i / 16).join(" ")})`);
    element.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
    for (const [i, share] of marked.entries()) {
      const number = /** @type {HTMLElement} */ (element.children[i]);
      number.textContent = decimals((shown.apart ? 2 * share - 1 : share) * shown.top);
      number.style.color = inkOn(rgb(share));
    }
  }
  return { element, paint };
}

/**
 * What the colours mean.
 */
export function makeLegend() {
  const text = make("span");
  const marks = make("span", { class: "xv-marks" });
  const element = make("p", { class: "xv-legend" }, text, marks);
  /** @param {Scene} scene */
  function paint(scene) {
    const { dark } = scene.theme;
    const both = scene.compared && scene.second ? ` in ${scene.main.name} and ${scene.second.name}` : "";
    const whose = {
      word: `the maximum of this ${patchSide(scene.main.sheet) === "columns" && scene.main.sheet.queries.grid ? "patch" : wordsOf(scene.main.sheet).one}`,
      head: `the maximum of ${scene.main.sheet.title ? "this map" : viewTitle(scene.main.view)}${both}`,
      common: "the maximum of all maps",
    }[scene.state.scale];
    const map = dark || isOverPicture(scene.main) ? scene.state.colours : `${scene.state.colours}, reversed`;
    const several = isOverPicture(scene.main) && scene.state.several;
    if (scene.difference && scene.second) {
      const [one, other] = [scene.main, scene.second].map((panel) => panel.name || viewTitle(panel.view));
      text.textContent = `Difference of weights: red where ${other} has more, blue where ${one} has more, up to ${decimals(scene.shown.top)}`;
      const m = scene.shown.matrix;
      const isAlone = [...(m?.rows ?? []), ...(m?.columns ?? [])].some((group) => group.alone);
      marks.replaceChildren(
        ...(isAlone ? [make("span", { class: "xv-mark xv-hatched" }, "only in one of the two")] : []),
      );
      return;
    }
    text.textContent = several
      ? `in full colour: each ${wordsOf(scene.main.sheet).one}’s own maximum`
      : `${scene.main.top.toFixed(2)} = ${whose} (${map})`;
    const mark = (/** @type {string} */ name, /** @type {string} */ text) =>
      make("span", { class: `xv-mark xv-${name}` }, text);
    const overSound = isOverSound(scene.main);
    marks.replaceChildren(
      ...(scene.main.sheet.steps.length && scene.state.units !== "sentences"
        ? [mark("unsure", "unsure token, p < 0.5")]
        : []),
      ...(overSound || patchSide(scene.main.sheet) === "columns"
        ? []
        : [mark("unattended", `${wordsOf(scene.main.sheet).unattended} that no token attends to, all < 0.1`)]),
      ...(overSound ? [mark("parked", "weight rests on padding")] : []),
      ...(scene.main.sheet.keys.special.includes(true) ? [mark("parked", "weight rests on special tokens")] : []),
      ...(overSound && scene.main.sound?.words.some(({ repeated }) => repeated)
        ? [mark("repeated", "repeated by the model, not heard so often")]
        : []),
      ...(overSound ? [make("span", {}, "each pixel shows the largest weight in it")] : []),
      ...(scene.main.linked.length ? [mark("linked", "linked words")] : []),
      ...(scene.compared ? [mark("differs", "differs from the other output")] : []),
    );
  }
  return { element, paint };
}

/**
 * Another kind of attention: what was chosen stays chosen where the two share it.
 *
 * @param {Scene} scene
 * @param {string} kind
 * @returns {Partial<State>}
 */
function otherKind(scene, kind) {
  const cell = cellIn(scene.main.sheet, sheetOf(scene.trace, kind), scene.state);
  const none = cell.row < 0 && cell.column < 0;
  return { map: kind, ...NOTHING_CHOSEN, ...(none ? {} : cell) };
}

/**
 * Two or more choices of which one holds.
 *
 * @param {string} label
 * @param {"map" | "units" | "rows" | "scale" | "shows"} field
 * @param {Record<string, string>} choices
 * @param {Change} change
 */
function switcher(label, field, choices, change) {
  const buttons = Object.entries(choices).map(([value, text]) => {
    const button = make("button", { type: "button", class: "xv-button", "data-value": value }, text);
    const fresh = field === "scale" || field === "shows" ? {} : NOTHING_CHOSEN;
    button.addEventListener("click", () => change({ [field]: value, ...fresh }));
    return button;
  });
  const element = make("span", { class: "xv-switch", role: "group", "aria-label": label }, ...buttons);
  /** @type {(value: string, there?: string[], faces?: Record<string, string>) => void} */
  const show = (value, there = Object.keys(choices), faces = {}) => {
    const shown = buttons.filter((button) => there.includes(button.dataset.value ?? ""));
    element.hidden = shown.length < 2;
    if (shown.length !== element.childElementCount) element.replaceChildren(...shown);
    for (const button of shown) {
      const face = faces[button.dataset.value ?? ""];
      if (face && face !== button.textContent) button.textContent = face;
      button.setAttribute("aria-pressed", String(button.dataset.value === value));
    }
  };
  return { element, show };
}
