import { isolated, make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { decimals, PARKED, probability, readingOf, UNATTENDED, UNSURE } from "../core/matrix.js";
import { viewTitle } from "../core/payload.js";
import { attendedSpan, isOverSound } from "../sound/sound.js";

/**
 * What is selected, said in words.
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/units.js").Group} Group
 *
 * @typedef {(Node | string)[]} Parts
 */

export function makeReadout() {
  const element = make("p", { class: "xv-readout", "aria-live": "polite", "aria-atomic": "true" });
  /** @param {Scene} scene */
  const paint = (scene) => {
    // A text that grows many times a second would drown everything else that is read aloud.
    element.setAttribute("aria-live", scene.trace.growing ? "off" : "polite");
    element.replaceChildren(...sentences(scene));
  };
  return { element, paint };
}

/** @param {Scene} scene */
function sentences(scene) {
  const { main, second, state, compared } = scene;
  if (!second) return sentence(scene, main);
  if (compared || scene.difference) {
    const [one, other] = [main, second].map((panel) => panel.name || capital(viewTitle(panel.view)));
    return [`${one}: `, ...sentence(scene, main), ` ${other}: `, ...sentence(scene, second), ...apart(scene)];
  }
  // The pointer may be in the map beside, which may be of another kind.
  const there = state.hover?.kind === second.sheet.kind && state.hover.kind !== main.sheet.kind;
  return sentence(scene, there ? second : main);
}

/**
 * By how much the cell in focus differs, where the difference is shown.
 *
 * @param {Scene} scene
 * @returns {Parts}
 */
function apart({ shown: { matrix: m, focus, apart: isApart } }) {
  if (!isApart || !m || focus.row < 0 || focus.column < 0) return [];
  const value = m.values[focus.row * m.columns.length + focus.column];
  return Number.isNaN(value)
    ? [" There is no difference: only one of the two has this cell."]
    : [" Difference: ", make("strong", {}, `${value > 0 ? "+" : ""}${decimals(value)}`), "."];
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @returns {Parts}
 */
function sentence(scene, panel) {
  const m = panel.matrix;
  if (!m) return ["This layer is on its way."];
  const { row, column } = panel.focus;
  const { step } = scene.state;
  if (step >= 0 && row < 0 && column < 0 && m.rowOf[step] === -1) {
    const written = panel.sheet.steps[step]?.token;
    if (written !== undefined) return ["This step wrote ", isolated(written), ", which is hidden."];
  }
  const isThere = (/** @type {Group[]} */ all, /** @type {number} */ at) => at < 0 || all[at].positions.length > 0;
  if (!isThere(m.rows, row) || !isThere(m.columns, column)) return ["nothing stands for it here."];
  if (isOverSound(panel)) return [...rowOverSound(scene, panel, m), ...(row < 0 ? [] : unsure(scene, panel, m))];
  if (isAtStep(scene, panel, m)) return [...stepSentence(scene, panel, m), ...unsure(scene, panel, m)];
  if (row >= 0) return [...rowSentence(scene, panel, m), ...remarks(scene, panel, m)];
  if (column < 0) return ["Hover or choose a token to read its weights here."];
  return columnSentence(scene, panel, m);
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function rowSentence({ state, trace }, panel, m) {
  const { sheet, view, focus } = panel;
  const words = wordsOf(sheet);
  const row = m.rows[focus.row];
  const newest = trace.growing && focus.row === m.rows.length - 1;
  const read = state.rows === "input" && sheet.read;
  const start = newest
    ? "Writing "
    : read && sheet.kind !== "encoder"
      ? "Having read "
      : capital(`${words.predicting} `);
  const average = row.positions.length > 1 && state.units === "sentences" ? "on average " : "";
  const put = view.head === null ? `${whose(words, `the ${viewTitle(view)}`)} is ` : `${whose(words)} ${words.put} `;
  const weights = m.values.subarray(focus.row * m.columns.length, (focus.row + 1) * m.columns.length);
  const [first, second] = focus.column >= 0 ? [focus.column] : largestTwo(weights);
  // Neither the start token nor the token just read is something written earlier.
  const plain = view.head === null || (sheet.kind === "decoder" && (read || m.columns[first].special));
  const on = plain ? " on " : ` ${words.on} `;
  /** @type {Parts} */
  const parts = [start, isolated(row.label), ", ", put, average, strong(weights[first]), on];
  parts.push(isolated(m.columns[first].label));
  if (second !== undefined && weights[second] >= 0.05) {
    parts.push(", ", decimals(weights[second]), on === " of " ? on : " on ", isolated(m.columns[second].label));
  }
  const [most] = largestTwo(weights);
  // A latent stays chosen while the pointer runs over the places that read latents.
  if (sheet.queries.grid && sheet.keys.kind === "latent" && most !== first) {
    parts.push("; most, ", decimals(weights[most]), ", on ", isolated(m.columns[most].label));
  }
  parts.push(newest ? " …" : ".");
  return parts;
}

/**
 * Whether what is to be said is what the step looked at that one has come to.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 */
function isAtStep({ state }, { sheet, focus }, m) {
  if (state.step < 0 || !sheet.steps.length || wordsOf(sheet).share) return false;
  return focus.row === m.rowOf[state.step] && focus.row >= 0 && focus.column < 0;
}

/**
 * "Writing *gato*, this head looked most at *cat* (0.83), then at *The* (0.09)." Where most of the weight rests on a
 * special token, what of the rest was looked at most.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function stepSentence({ state }, { sheet, view, focus }, m) {
  const read = state.rows === "input" && sheet.read;
  const who = view.head === null ? `the ${viewTitle(view)}` : "this head";
  const weights = m.values.subarray(focus.row * m.columns.length, (focus.row + 1) * m.columns.length);
  const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]);
  const own = order.filter((column) => !m.columns[column].special);
  /** @type {(column: number) => Parts} */
  const named = (column) => [isolated(m.columns[column].label), " (", strong(weights[column]), ")"];
  /** @type {Parts} */
  const parts = [read ? "Having read " : "Writing ", isolated(m.rows[focus.row].label), `, ${who} `];
  const first = order[0];
  if (m.columns[first].special && own.length) {
    const rest = weights[own[0]] >= UNATTENDED / 10 ? ["; of the rest it looked most at ", ...named(own[0])] : [];
    return [...parts, "rested on ", ...named(first), ...rest, "."];
  }
  const earlier = sheet.kind === "decoder" && !m.columns[first].special ? "its own earlier " : "";
  parts.push(`looked most at ${earlier}`, ...named(first));
  if (order.length > 1 && weights[order[1]] >= 0.05) parts.push(", then at ", ...named(order[1]));
  parts.push(".");
  return parts;
}

/**
 * What to know about a row besides.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function remarks({ state, trace }, { sheet, focus }, m) {
  if (trace.growing) return [];
  const parts = [];
  if (m.parked[focus.row] >= PARKED) {
    const read = sheet.keys.grid ? "picture" : sheet.queries.grid ? "prompt" : "sentence";
    parts.push(` ${decimals(m.parked[focus.row])} merely rests on special tokens: it says little about the ${read}.`);
  }
  return [...parts, ...unsure({ state, trace }, { sheet, focus }, m)];
}

/**
 * @param {Pick<Scene, "state" | "trace">} scene
 * @param {Pick<Panel, "sheet" | "focus">} panel
 * @param {Matrix} m
 * @returns {string[]}
 */
function unsure({ state, trace }, { sheet, focus }, m) {
  const p = probability(sheet, m.rows[focus.row], state);
  if (trace.growing || p >= UNSURE) return [];
  return [` The model was unsure of this ${state.units === "words" ? "word" : "token"}: p = ${decimals(p)}.`];
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function columnSentence({ state }, { sheet, focus, written }, m) {
  const weights = m.rows.slice(0, written).map((_, r) => m.values[r * m.columns.length + focus.column]);
  const [most] = largestTwo(weights);
  const source = isolated(m.columns[focus.column].label);
  if (wordsOf(sheet).share) {
    return [source, " has most in the row of ", isolated(m.rows[most].label), ": ", strong(weights[most]), "."];
  }
  if (weights[most] < UNATTENDED)
    return [
      "No token attends to ",
      source,
      ` here: no ${sheet.queries.grid ? "patch" : "row"} puts ${decimals(UNATTENDED)} or more on it.`,
    ];
  const words = wordsOf(sheet);
  const when = state.rows === "input" && sheet.read ? words.reading : `when ${words.predicting}`;
  return [
    source,
    ` ${words.wasRead ?? "was read"} most ${when} `,
    isolated(m.rows[most].label),
    ": ",
    strong(weights[most]),
    ".",
  ];
}

/**
 * Where the two largest numbers are, the first ones of equals.
 *
 * @param {ArrayLike<number>} numbers
 */
function largestTwo(numbers) {
  let [first, second] = [0, -1];
  for (let i = 1; i < numbers.length; i++) {
    if (numbers[i] > numbers[first]) [first, second] = [i, first];
    else if (second < 0 || numbers[i] > numbers[second]) second = i;
  }
  return second < 0 ? [first] : [first, second];
}

/**
 * Who puts: a head, the mean over some, or a method.
 *
 * @param {import("../core/kinds.js").Words} words
 * @param {string} [head]
 */
function whose({ who, share, name }, head = "this head") {
  return who ?? (share ? `${name.toLowerCase()} of ${head}` : head);
}

/** @param {string} text */
function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** @param {number} value */
function strong(value) {
  return make("strong", {}, decimals(value));
}

const RESTING = 0.1; // from this share on, weight on padding is worth a word
const NOTHING = 0.02; // what no row puts on a frame

/**
 * "Writing *country*, this head listened to 3.1–3.5 s": the shortest stretch with half of the weight on the sound, and
 * how much that is of all its weight.
 *
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function rowOverSound(scene, panel, m) {
  const { row, column } = panel.focus;
  if (row < 0) return columnOverSound(panel, m, column);
  const words = wordsOf(panel.sheet);
  const who = whose(words, panel.view.head === null ? `the ${viewTitle(panel.view)}` : "this head");
  const [does, total] = words.share ? ["pointed", "total"] : ["listened", "weight"];
  const held = attendedSpan(panel, row);
  const resting = m.parked[row];
  if (!held) return [...beginning(scene, panel, m), `${who} ${does} to nothing.`];
  /** @type {Parts} */
  const parts = [...beginning(scene, panel, m), `${who} ${does} to `, make("strong", {}, stretch(held.from, held.to))];
  if (column >= 0) {
    parts.push(`; on ${time(panel, column)} it put `, decimals(m.values[row * m.columns.length + column]), ".");
  } else {
    const help = `This is the shortest stretch with half its ${total} on the sound; the number is how much it holds of all.`;
    parts.push(" (", make("span", { "data-help": help }, `${decimals(held.weight)} of its ${total}`), ").");
  }
  if (resting >= RESTING) parts.push(` ${decimals(resting)} of its ${total} rests on padding behind the sound.`);
  return parts;
}

/**
 * @param {Scene} scene
 * @param {Panel} panel
 * @param {Matrix} m
 * @returns {Parts}
 */
function beginning({ state }, { sheet, focus }, m) {
  const row = m.rows[focus.row];
  if (sheet.kind === "encoder") return ["Building the representation of ", isolated(row.label), ", "];
  return [readingOf(sheet, state) ? "Having read " : "Writing ", isolated(row.label), ", "];
}

/**
 * @param {Panel} panel
 * @param {Matrix} m
 * @param {number} column
 * @returns {Parts}
 */
function columnOverSound(panel, m, column) {
  if (column < 0) return ["Hover or choose a word or a moment of the sound to read its weights here."];
  const weights = m.rows.map((_, r) => m.values[r * m.columns.length + column]);
  const most = weights.reduce((best, weight, r) => (weight > weights[best] ? r : best), 0);
  if (weights[most] < NOTHING) {
    return [`At ${time(panel, column)} no token attends: no row puts ${decimals(NOTHING)} or more on that moment.`];
  }
  const word = isolated(m.rows[most].label);
  if (wordsOf(panel.sheet).share) {
    return [
      `${time(panel, column)} has most in the row of `,
      word,
      ": ",
      make("strong", {}, decimals(weights[most])),
      ".",
    ];
  }
  return [`To ${time(panel, column)}, `, word, " listened most: ", make("strong", {}, decimals(weights[most])), "."];
}

/**
 * @param {Panel} panel
 * @param {number} column
 */
function time(panel, column) {
  const edges = /** @type {number[]} */ (panel.edges);
  return stretch(edges[column], edges[column + 1]);
}

/**
 * A stretch to a tenth of a second, or finer where it is short.
 *
 * @param {number} from
 * @param {number} to
 */
export function stretch(from, to) {
  const digits = to - from < 0.2 ? 2 : 1;
  return `${from.toFixed(digits)}–${to.toFixed(digits)} s`;
}
