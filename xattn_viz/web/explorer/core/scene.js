import { isOverPicture, patchSide, pictureTop } from "../picture/patches.js";
import { rangeOf } from "../sound/time.js";
import { onPicture } from "./colours.js";
import { cellIn } from "./kinds.js";
import { aligned, differenceOf, makePanel, readingOf } from "./matrix.js";
import { splitName } from "./state.js";
import { unitsOf } from "./units.js";

/**
 * Everything that the parts of the explorer paint from, and how they ask for a change.
 *
 * @typedef {import("./colours.js").Theme} Theme
 * @typedef {import("./matrix.js").Matrix} Matrix
 * @typedef {import("./payload.js").Sheet} Sheet
 * @typedef {import("./payload.js").Trace} Trace
 * @typedef {import("./payload.js").View} View
 * @typedef {import("./state.js").Cell} Cell
 * @typedef {import("./state.js").State} State
 *
 * @typedef {object} Panel one map as it is shown: the chosen one, or the one beside it
 * @property {string} name of its output where there are two, else ""
 * @property {Sheet} sheet
 * @property {View} view
 * @property {Matrix | null} matrix
 * @property {number[] | null} edges of its columns where they are frames, one more than there are, in seconds of its sound
 * @property {import("../sound/sound.js").Sound | null} sound that its trace heard
 * @property {import("../sound/sound.js").Stretch | null} range what of that is in view
 * @property {import("../picture/pictures.js").Pixels | null} picture that its patches lie in, as it was at the chosen
 *   denoising step
 * @property {[string, number, number][]} modules as in its trace
 * @property {[Panel, Panel] | null} of which two maps it is the difference
 * @property {number} top where its colour scale ends
 * @property {boolean} apart whether it is a difference, from -top to top
 * @property {Cell} focus what is hovered, else what is chosen, as rows and columns of this map; -1 for none
 * @property {Cell[]} linked the cells between words that an alignment links, where they are shown
 * @property {number} written how many rows are written while one steps through them, else all
 *
 * @typedef {object} Scene
 * @property {Trace} trace
 * @property {State} state
 * @property {Panel} main
 * @property {Panel | null} second the pinned map, or the same map of the other output
 * @property {boolean} compared whether the second map is that of another trace, its rows and columns aligned with these
 * @property {boolean} comparable whether rows and columns of both maps stand for the same, so that they have a difference
 * @property {Panel | null} difference what the second has more, in place of both, where that is shown
 * @property {Panel} shown the difference, else the chosen map
 * @property {Theme} theme
 * @property {Cell} focus that of the chosen map
 * @property {import("../sound/sound.js").Stretch | null} range what of the sound is in view
 *
 * @typedef {(change: Partial<State>) => void} Change
 */

/**
 * @param {Trace} trace
 * @param {State} wanted
 * @param {Theme} theme
 * @returns {Scene}
 */
export function makeScene(trace, wanted, theme) {
  const units = unitsOf(trace);
  const possible = units.includes(wanted.units) ? wanted : { ...wanted, units: units[0] };
  const sheet = sheetOf(trace, possible.map, possible.noise);
  const state = { ...possible, scale: scaleOf(sheet, possible.scale) };
  const chosen = sheet.views.find((view) => view.name === state.head) ?? sheet.views[0];
  let main = makePanel(sheet, chosen, state);
  let second = trace.beside ? null : pinnedPanel(trace, state);
  const theirs = trace.beside?.sheets.find(({ kind }) => kind === sheet.kind) ?? null;
  const compared = theirs !== null;
  if (theirs) [main, second] = comparedPanels(trace, main, theirs, state);
  for (const panel of [main, second]) {
    if (!panel) continue;
    placeIn(panel, compared && panel === second && trace.beside ? trace.beside : trace, trace, state);
    panel.written = rowsWritten(panel, state);
    panel.focus = focusOf(panel, main, second, state);
    panel.linked = panel === second && compared ? [] : linkedCells(trace, panel, state);
    if (isOverPicture(panel)) panel.top = pictureTop(panel, state.scale);
  }
  if (compared && second && isOverPicture(main)) main.top = second.top = Math.max(main.top, second.top);
  const comparable = second !== null && canDiffer(main, second);
  const apart = comparable && second && state.shows === "difference" ? differencePanel(main, second, state) : null;
  return {
    trace,
    state,
    main,
    second,
    compared,
    comparable,
    difference: apart,
    shown: apart ?? main,
    theme: isOverPicture(main) ? onPicture(theme, state.colours) : theme,
    focus: main.focus,
    range: main.range,
  };
}

/**
 * The sound that a map lies over, with what of it is in view, and the picture.
 *
 * @param {Panel} panel
 * @param {Trace | import("./payload.js").Beside} whose map it is
 * @param {Trace} trace the first
 * @param {State} state
 */
function placeIn(panel, whose, trace, state) {
  const { sound, modules } = whose;
  const range = trace.sound && rangeOf(trace.sound, state);
  const later = sound && trace.sound ? sound.start - trace.sound.start : 0;
  const picture = whose.drawn[Math.min(state.noise, whose.drawn.length - 1)] ?? whose.picture;
  Object.assign(panel, { sound, modules, picture });
  panel.range = range && { from: range.from + later, to: range.to + later };
}

/** @type {WeakMap<Matrix, Cell[]>} */
const linkedIn = new WeakMap();

/**
 * The cells of a map between words that an alignment links; found once for each map.
 *
 * @param {Trace} trace
 * @param {Panel} panel
 * @param {State} state
 * @returns {Cell[]}
 */
function linkedCells({ links }, { sheet, matrix }, state) {
  const readsSource = !["encoder", "decoder", "text-to-image"].includes(sheet.kind);
  if (!links || !matrix || !state.links || !readsSource || state.units === "sentences") return [];
  const known = linkedIn.get(matrix);
  if (known) return known;
  const cells = links.cells[readingOf(sheet, state) ? "input" : "predicted"] ?? [];
  const places = new Set(cells.map(([row, column]) => `${matrix.rowOf[row] ?? -1} ${matrix.columnOf[column] ?? -1}`));
  const found = [...places].map((place) => place.split(" ").map(Number)).map(([row, column]) => ({ row, column }));
  const shown = found.filter(({ row, column }) => row >= 0 && column >= 0);
  linkedIn.set(matrix, shown);
  return shown;
}

/**
 * How many rows of a map are written by the step that one has come to. Rows of other maps are no steps of the decoding.
 *
 * @param {Panel} panel
 * @param {State} state
 */
function rowsWritten({ sheet, matrix }, { step }) {
  const rows = matrix?.rows ?? [];
  if (step < 0 || sheet.kind === "encoder" || !sheet.steps.length) return rows.length;
  const next = rows.findIndex(({ positions }) => positions.length && positions[0] > step);
  return next < 0 ? rows.length : next;
}

/**
 * The sheet of a kind, else the first one; that of one denoising step where there is one.
 *
 * @param {Trace} trace
 * @param {string} kind
 * @param {number} [noise]
 */
export function sheetOf(trace, kind, noise = -1) {
  const sheet = trace.sheets.find((each) => each.kind === kind) ?? trace.sheets[0];
  return trace.noise(noise, sheet.kind) ?? sheet;
}

/**
 * Over a picture each word has a scale of its own, unless another one is chosen; elsewhere there is no such scale.
 *
 * @param {Sheet} sheet
 * @param {string} wanted
 */
function scaleOf(sheet, wanted) {
  if (patchSide(sheet)) return wanted || "word";
  return wanted === "common" ? wanted : "head";
}

/**
 * Whether two maps have a difference: between the same rows and columns, and shown cell by cell.
 *
 * @param {Panel} main
 * @param {Panel} second
 */
function canDiffer({ sheet, matrix: ours }, { sheet: other, matrix: theirs }) {
  if (!ours || !theirs || sheet.queries.edges) return false;
  return (
    sheet.kind === other.kind &&
    ours.rows.length === theirs.rows.length &&
    ours.columns.length === theirs.columns.length
  );
}

/** @type {WeakMap<Matrix, {theirs: Matrix, made: Matrix}>} */
const differences = new WeakMap();

/**
 * What the second map has more than the chosen one, made once. Over pictures it lies over that of the second.
 *
 * @param {Panel} main
 * @param {Panel} second
 * @param {State} state
 * @returns {Panel}
 */
function differencePanel(main, second, state) {
  const [ours, theirs] = /** @type {[Matrix, Matrix]} */ ([main.matrix, second.matrix]);
  let cached = differences.get(ours);
  if (cached?.theirs !== theirs) {
    cached = { theirs, made: differenceOf(ours, theirs) };
    differences.set(ours, cached);
  }
  const { made } = cached;
  const { picture } = second;
  /** @type {Panel} */
  const panel = { ...main, matrix: made, top: Math.max(made.largest, 1e-6), apart: true, linked: [], picture };
  panel.of = [main, second];
  if (isOverPicture(panel)) panel.top = pictureTop(panel, state.scale);
  return panel;
}

/**
 * @param {Trace} trace
 * @param {State} state
 */
function pinnedPanel(trace, state) {
  const [kind, name] = splitName(state.pinned);
  const sheet = trace.sheets.some((each) => each.kind === kind) ? sheetOf(trace, kind, state.noise) : null;
  const view = sheet?.views.find((each) => each.name === name);
  return sheet && view ? makePanel(sheet, view, state) : null;
}

/**
 * The same map of both traces, row by row and column by column, in colours of one scale.
 *
 * @param {Trace} trace
 * @param {Panel} main
 * @param {Sheet} whole theirs of the same kind, of all denoising steps
 * @param {State} state
 * @returns {[Panel, Panel]}
 */
export function comparedPanels(trace, main, whole, state) {
  const { names, noise } = /** @type {import("./payload.js").Beside} */ (trace.beside);
  const sheet = (main.sheet.step !== undefined && noise(state.noise)) || whole;
  const { pairs = {}, columns } = whole;
  const find = (/** @type {string} */ name) => sheet.views.find((each) => each.name === name);
  // Of a model with other layers and heads the mean over all stands beside what it has no counterpart of.
  const view = find(state.other) ?? find(main.view.name) ?? find("mean") ?? sheet.views[0];
  const other = makePanel(sheet, view, state);
  const top = Math.max(main.top, other.top);
  const reading = readingOf(main.sheet, state) ? "input" : "predicted";
  const order = pairs[reading]?.[state.units] ?? [];
  const across = columns ? (columns[state.units] ?? columns.pieces) : null;
  const [ours, theirs] =
    main.matrix && other.matrix ? bothAligned(main.matrix, other.matrix, order, across) : [main.matrix, other.matrix];
  const edges = bothEdges(main.edges, other.edges);
  return [
    { ...main, name: names[0], top, matrix: ours, edges: edges[0] },
    { ...other, name: names[1], top, matrix: theirs, edges: edges[1] },
  ];
}

/**
 * The edges of frames that stand beside each other from where each sound begins: the shorter one goes on like the longer.
 *
 * @param {number[] | null} ours
 * @param {number[] | null} theirs
 * @returns {[number[] | null, number[] | null]}
 */
function bothEdges(ours, theirs) {
  if (!ours || !theirs || ours === theirs) return [ours, theirs];
  const going = (/** @type {number[]} */ one, /** @type {number[]} */ other) => [
    ...one,
    ...other.slice(one.length).map((edge) => edge - other[0] + one[0]),
  ];
  return [going(ours, theirs), going(theirs, ours)];
}

/** @type {WeakMap<Matrix, {theirs: Matrix, both: [Matrix, Matrix]}>} */
const alignments = new WeakMap();

/**
 * The aligned maps, made once: the pointer that moves over them only asks for them again.
 *
 * @param {Matrix} ours
 * @param {Matrix} theirs
 * @param {import("./payload.js").Pair[]} pairs of rows
 * @param {import("./payload.js").Pair[] | null} across of columns, where they differ
 */
function bothAligned(ours, theirs, pairs, across) {
  let cached = alignments.get(ours);
  if (cached?.theirs !== theirs) {
    cached = { theirs, both: aligned(ours, theirs, pairs, across) };
    alignments.set(ours, cached);
  }
  return cached.both;
}

/**
 * @param {Panel} panel
 * @param {Panel} main
 * @param {Panel | null} second
 * @param {State} state
 * @returns {Cell}
 */
function focusOf(panel, main, second, state) {
  const hovered = state.hover;
  const from = hovered && second?.sheet.kind === hovered.kind ? second.sheet : main.sheet;
  const { row, column } = cellIn(from, panel.sheet, hovered ?? state);
  const inside = (/** @type {number} */ index, /** @type {number} */ count) => (index < count ? index : -1);
  return {
    row: inside(row, panel.matrix?.rows.length ?? 0),
    column: inside(column, panel.matrix?.columns.length ?? 0),
  };
}
