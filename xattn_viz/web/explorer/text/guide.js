import { isolated, make } from "../core/dom.js";
import { axisTitles, wordsOf } from "../core/kinds.js";
import { decimals } from "../core/matrix.js";
import { viewTitle } from "../core/payload.js";
import { sheetOf } from "../core/scene.js";
import { NOTHING_CHOSEN } from "../core/state.js";
import { groups, places, rowAxis } from "../core/units.js";
import { isOverPicture, patchSide } from "../picture/patches.js";
import { isOverSound } from "../sound/sound.js";

/**
 * For whoever sees such a map for the first time: a sentence that says what to see in it, whatever was read and whatever
 * head is chosen, and what is surprising in this very trace, each one click away.
 *
 * @typedef {import("../core/payload.js").Surprise} Surprise
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {(Node | string)[]} Parts
 */

/** @param {import("../core/scene.js").Change} change */
export function makeGuide(change) {
  const said = make("p", { class: "xv-what" });
  const list = make("div", { class: "xv-surprises", role: "group", "aria-label": "Surprises in this very input" });
  const element = make("div", { class: "xv-guide" }, said, list);
  /** @type {Scene | null} */
  let last = null;
  let listed = "";
  /** @type {Surprise | null} the one that was pressed last: several can be seen at once */
  let pressed = null;
  list.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const surprise = last?.trace.surprises[Number(button?.dataset.number ?? -1)];
    if (!last || !surprise) return;
    pressed = surprise;
    change(lookingAt(last, surprise));
  });

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const { surprises, growing } = scene.trace;
    list.hidden = growing || !surprises.length || scene.compared;
    const key = JSON.stringify(surprises);
    if (key !== listed) {
      listed = key;
      list.replaceChildren(make("span", {}, "Surprises"), ...surprises.map(buttonOf));
    }
    const shown = surprises.filter((surprise) => isSeen(scene, surprise));
    const [told] = shown.includes(/** @type {Surprise} */ (pressed)) ? [pressed] : shown;
    for (const button of list.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(shown.includes(surprises[Number(button.dataset.number)])));
    }
    said.replaceChildren(...whatToSee(scene), " ", ...(told ? [isolated(told.says, "")] : whatItDoes(scene.main)));
  }
  return {
    element,
    paint,
    /**
     * Puts the surprises in the line above a map, where that has room for both; else they follow the
     * sentence.
     *
     * @param {Element | null} head of the map
     */
    place(head) {
      const place = head ?? element;
      if (list.parentElement !== place) place.append(list);
    },
  };
}

/**
 * @param {Surprise} surprise
 * @param {number} number
 */
function buttonOf({ title, says }, number) {
  const button = make("button", { type: "button", class: "xv-button", "data-number": number, "data-help": says });
  button.append(isolated(title, ""));
  return button;
}

/**
 * What is changed to see a surprise: all that it names, and nothing else.
 *
 * @param {Scene} scene
 * @param {Surprise} surprise
 * @returns {Partial<import("../core/state.js").State>}
 */
function lookingAt({ trace, main, state }, { head, row, column }) {
  const fresh = main.sheet.kind === "cross" && state.noise < 0 ? {} : { map: "cross", noise: -1, ...NOTHING_CHOSEN };
  const chosen = { ...fresh, ...(head === null ? {} : { head }) };
  if (row === null && column === null) return chosen;
  const place = placeOf(trace, state, row, column);
  // What is hidden is shown before it is pointed at.
  const special = state.special || (place.row < 0 && row !== null) || (place.column < 0 && column !== null);
  return { ...chosen, ...NOTHING_CHOSEN, special, ...placeOf(trace, { ...state, special }, row, column) };
}

/**
 * The row and the column of cross-attention that two positions are in, by what rows and columns stand for now.
 *
 * @param {import("../core/payload.js").Trace} trace
 * @param {import("../core/state.js").State} state
 * @param {number | null} row
 * @param {number | null} column
 */
function placeOf(trace, state, row, column) {
  const sheet = sheetOf(trace, "cross");
  const axis = rowAxis(sheet, state);
  /** @param {import("../core/payload.js").Axis} of @param {number | null} position */
  const place = (of, position) => {
    const shown = groups(of, state.units).filter((group) => state.special || !group.special);
    return position === null ? -1 : (places(shown, of.labels.length)[position] ?? -1);
  };
  const at = row === null ? null : row + shiftOf(axis, sheet);
  return { row: place(axis, at), column: place(sheet.keys, column) };
}

/**
 * Where rows are named for the token read, that token is the one of the row behind its own.
 *
 * @param {import("../core/payload.js").Axis} axis of the rows
 * @param {import("../core/payload.js").Sheet} sheet
 */
function shiftOf(axis, sheet) {
  return axis === sheet.queries ? 0 : 1;
}

/**
 * @param {Scene} scene
 * @param {Surprise} surprise
 */
function isSeen({ main, state }, { head, row, column }) {
  const { sheet, view, matrix: m } = main;
  if (sheet.kind !== "cross" || (head !== null && view.name !== head)) return false;
  return (
    (row === null || m?.rowOf[row + shiftOf(rowAxis(sheet, state), sheet)] === state.row) &&
    (column === null || m?.columnOf[column] === state.column)
  );
}

/**
 * What rows are and what a colour says.
 *
 * @param {Scene} scene
 * @returns {Parts}
 */
function whatToSee({ trace, main, second, state, theme, difference }) {
  const { sheet } = main;
  const [ofRows, ofColumns] = axisTitles(sheet, state);
  const [read, written] = trace.languages;
  const row = withArticle(named(ofRows, sheet.kind === "encoder" ? read : written, state.units));
  if (isOverPicture(main)) {
    if (state.several) return ["Each chosen word has a colour of its own: the fuller, the more it looked there."];
    if (patchSide(sheet) === "columns") return [`Choose ${row}. Bright = where it looked in the picture.`];
    const where = `where in the picture it ${wordsOf(sheet).wasRead ?? "was read"}`;
    return [`Choose ${withArticle(named(ofColumns, "", state.units))}. Bright = ${where}.`];
  }
  if (difference && second) {
    const [one, other] = [main, second].map((panel) => panel.name || viewTitle(panel.view));
    return [`Each row is ${row}. Red = ${other} has more weight there, blue = ${one} has.`];
  }
  const bright = theme.dark ? "Bright" : "Dark";
  if (sheet.title) return [`Each row is ${row}. ${bright} = the larger values.`];
  const meant = wordsOf(sheet).share
    ? "what counted for it"
    : isOverSound(main)
      ? "when it listened"
      : "where it looked";
  return [`Each row is ${row}. ${bright} = ${meant}.`];
}

/**
 * "word being written" as "Portuguese token being written".
 *
 * @param {string} title of an axis
 * @param {string} language "" where it is not known
 * @param {string} units
 */
function named(title, language, units) {
  const unit = units === "pieces" ? "token" : "word";
  return title
    .replace(/\b(source )?(word|sentence)\b/, (_, source = "", one) =>
      [language || source.trim(), one === "word" ? unit : one].filter(Boolean).join(" "),
    )
    .replace(/^sound (.*), in seconds$/, "moment of the sound $1");
}

/** @param {string} noun */
function withArticle(noun) {
  return `${/^(?:[aeio]|ur|uz|answer)/i.test(noun) ? "an" : "a"} ${noun}`;
}

/**
 * What the chosen map does: its name where a number carries one, else what its weights have in common.
 *
 * @param {Panel} panel
 * @returns {Parts}
 */
function whatItDoes(panel) {
  if (panel.sheet.title) return [];
  const [name] = panel.sheet.names[panel.view.name] ?? [""];
  if (name) return ["This head ", isolated(name, ""), "."];
  const { matrix: m } = panel;
  if (!m || isOverSound(panel) || isOverPicture(panel)) return [];
  const { rows, shared, column, peak } = habits(m);
  if (rows < FEWEST) return [];
  if (2 * shared >= rows) return [`${shared} of ${rows} rows look most at `, isolated(m.columns[column].label), "."];
  if (peak >= 0.5) return [`A row looks mostly at one place: ${decimals(peak)} of it, on average.`];
  return [`Rows look at several places at once: the ${theMost(panel)} takes ${decimals(peak)} of a row, on average.`];
}

const FEWEST = 3; // rows, for anything to be said of all of them

/** @param {Panel} panel */
function theMost({ sheet }) {
  return wordsOf(sheet).share ? "largest share" : "largest weight";
}

/** @type {WeakMap<import("../core/matrix.js").Matrix, {rows: number, shared: number, column: number, peak: number}>} */
const known = new WeakMap();

/**
 * How many rows a map has, how many of them have their largest weight in the same `column`, and the mean of these
 * weights. Empty rows, which stand beside those of another output, do not count.
 *
 * @param {import("../core/matrix.js").Matrix} m
 */
function habits(m) {
  let found = known.get(m);
  if (found) return found;
  const width = m.columns.length;
  const counts = new Array(width).fill(0);
  let [rows, sum] = [0, 0];
  m.rows.forEach(({ positions }, r) => {
    if (!positions.length) return;
    let most = r * width;
    for (let i = most; i < (r + 1) * width; i++) if (m.values[i] > m.values[most]) most = i;
    rows++;
    counts[most - r * width]++;
    sum += m.values[most];
  });
  const shared = Math.max(...counts, 0);
  found = { rows, shared, column: counts.indexOf(shared), peak: rows ? sum / rows : 0 };
  known.set(m, found);
  return found;
}
