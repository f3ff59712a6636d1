import { isolated, make, makeSvg } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { columnMaxima, decimals, PARKED, probability, readingOf, UNATTENDED, UNSURE } from "../core/matrix.js";
import { rowAxis } from "../core/units.js";
import { isOverPicture, largestOnPatches, patchSide } from "../picture/patches.js";
import { isOverSound, spokenSpan } from "../sound/sound.js";
import { moment, revealed } from "../sound/time.js";
import { makeSentence } from "./sentence.js";

/**
 * The two sentences as text, tinted by their weights, with the other output below where there is one. Of sound there
 * is only what was written of it: a click on a word plays it.
 *
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 */

const MOST_UNSURE = 8;

/** @param {import("../sound/sound.js").SpokenWord} word */
const isUnsure = ({ confidence }) => confidence < UNSURE;

/**
 * @param {import("../core/scene.js").Change} change
 * @param {import("../sound/player.js").Player} player
 * @param {import("../sound/player.js").Player} otherPlayer of a second sound
 */
export function makeSentences(change, player, otherPlayer) {
  const lines = makeSvg("svg", { class: "xv-lines", "aria-hidden": "true" });
  const source = makeSentence("column", "xv-columns", change);
  const playWord = (/** @type {number} */ position, isSecond = false) => {
    const beside = last?.trace.beside;
    const heard = isSecond ? (beside?.hears ? beside.sound : null) : last?.trace.sound;
    const stretch = last && heard && spokenSpan(last, [position], heard);
    if (!last?.trace.sound || !heard || !stretch) return;
    (isSecond ? otherPlayer : player).play(stretch);
    change(revealed(last.trace.sound, last.state, moment(stretch, heard, last.trace.sound)));
  };
  const output = makeSentence("row", "xv-rows", change, (position) => playWord(position));
  const otherSource = makeSentence("column", "xv-other-source", change);
  const other = makeSentence("row", "xv-others", change, (position) => playWord(position, true));
  const texts = [source, output, otherSource, other].map(({ element }) => element);
  const page = make("div", { class: "xv-page" }, ...texts);
  page.append(lines);
  const unsure = make("p", { class: "xv-unsure-words", role: "group", "aria-label": "What the model was unsure of" });
  unsure.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    if (button) output.tokens[Number(button.dataset.position)]?.click();
  });
  const element = make("div", { class: "xv-sentences" }, page);
  let listed = "";
  /** @type {Scene | null} */
  let last = null;
  let focused = "";
  /** @type {{word: number, scene: Scene | null}} */
  let marked = { word: -1, scene: null };
  for (const { text } of [source, output]) {
    text.addEventListener("scroll", () => last && drawLines(lines, page, last, source.tokens, output.tokens));
  }

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const { main, second, compared, state, trace } = scene;
    const words = wordsOf(main.sheet);
    // A sound and a picture have their own place: only the text that was written of them stands here.
    const listens = isOverSound(main) || patchSide(main.sheet) === "columns";
    const draws = patchSide(main.sheet) === "rows";
    // Where rows are frames or patches too, the text that was written stays.
    const textless = Boolean(main.sheet.queries.edges) || Boolean(main.sheet.queries.grid && !draws);
    const axis = rowAxis(textless ? trace.sheets[0] : main.sheet, state);
    output.element.hidden = draws;
    source.element.hidden = listens;
    if (!listens) {
      source.show(main.sheet.keys, state.special, words.columns, (draws && main.name) || words.columnsCaption);
    }
    if (!draws)
      output.show(
        axis,
        state.special,
        trace.sound ? "Transcript" : words.rows,
        main.name || (listens && axis.kind !== "latent" ? "" : words.rowsCaption),
      );
    other.element.hidden = !compared || draws;
    if (compared && second && !draws) {
      other.show(rowAxis(second.sheet, state), state.special, `Output sentence ${second.name}`, second.name);
    }
    // What both read stands once.
    const reads = compared && second && !listens && second.sheet.keys !== main.sheet.keys;
    otherSource.element.hidden = !reads;
    if (reads) {
      otherSource.show(second.sheet.keys, state.special, `${words.columns} ${second.name}`, draws ? second.name : "");
    }
    const sources = listens ? 0 : main.sheet.keys.labels.length;
    // The letters keep their size while the output grows to about the length of its source.
    const outputs = draws ? 0 : trace.growing ? Math.max(axis.labels.length, sources) : axis.labels.length;
    const length = (reads ? 2 : 1) * sources + outputs * (compared ? 2 : 1);
    const lengths = length <= 34 ? "short" : length <= 90 ? "medium" : length <= 240 ? "long" : "huge";
    element.dataset.length = trace.sound ? "heard" : lengths;
    page.classList.toggle("xv-alone", draws);
    listUnsure(scene);
    page.classList.toggle("xv-words", state.units !== "pieces");
    if (!main.matrix) return;
    if (textless || draws) output.paint(scene, [], -1, () => ({ tint: 0 }));
    else paintOutput(output, scene, main, main.matrix);
    if (!listens) paintSource(source, scene, main, main.matrix);
    if (compared && second?.matrix && !draws) paintOutput(other, scene, second, second.matrix);
    if (reads && second?.matrix) paintSource(otherSource, scene, second, second.matrix);
    output.write(state.step);
    source.write(main.sheet.kind === "decoder" ? state.step : -1);
    tick();
  }

  /** Scrolls the texts to what is in focus and draws the lines between them: once all of the page has its place. */
  function connect() {
    const matrix = last?.main.matrix;
    if (!last || !matrix) return;
    const { main, trace, focus } = last;
    follow(matrix, [trace.id, main.sheet.kind, main.view.name, focus.row, focus.column].join(" "));
    if (source.element.hidden || output.element.hidden) lines.replaceChildren();
    else drawLines(lines, page, last, source.tokens, output.tokens);
  }

  /**
   * What was written that the model was unsure of, each a button that chooses it, and plays it where there is a sound.
   *
   * @param {Scene} scene
   */
  function listUnsure(scene) {
    const found = unsureOf(scene);
    const isWords = scene.state.units === "words" || Boolean(scene.trace.sound?.words.length);
    const now = JSON.stringify([found, isWords]);
    if (now === listed) return;
    listed = now;
    unsure.hidden = !found.length;
    const shown = found.slice(0, MOST_UNSURE).flatMap(({ text, position, p }) => {
      const button = make(
        "button",
        { type: "button", class: "xv-go-on xv-branch xv-unsure-word", "data-position": position },
        isolated(text),
      );
      return [button, ` ${decimals(p)} `];
    });
    const more = found.length - MOST_UNSURE;
    unsure.replaceChildren(
      `Unsure ${isWords ? "words" : "tokens"}, p < 0.5: `,
      ...shown,
      more > 0 ? `and ${more} more` : "",
    );
  }

  /** Marks the word that is heard. */
  function tick() {
    const sound = last?.trace.sound;
    if (!last || !sound?.words.length) return;
    const at = player.time;
    const now = player.running ? sound.words.findIndex(({ start, end }) => start <= at && at < end) : -1;
    if (now === marked.word && last === marked.scene) return;
    marked = { word: now, scene: last };
    const shift = readingOf(last.trace.sheets[0], last.state);
    const word = sound.words[now];
    output.play((position) => Boolean(word && word.first <= position - shift && position - shift <= word.last));
  }

  /**
   * @param {ReturnType<typeof makeSentence>} text
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {Matrix} m
   */
  function paintSource(text, scene, panel, m) {
    const { row, column } = panel.focus;
    const width = m.columns.length;
    const maxima = columnMaxima(m);
    const top = isOverPicture(panel) ? largestOnPatches(panel) : panel.top;
    text.paint(scene, m.columnOf, column, (c) => ({
      tint: row >= 0 ? Math.min(m.values[row * width + c] / top, 1) : 0,
      differs: m.columns[c].differs,
      unattended: !m.columns[c].special && maxima[c] < UNATTENDED,
    }));
  }

  /**
   * @param {ReturnType<typeof makeSentence>} text
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {Matrix} m
   */
  function paintOutput(text, scene, panel, m) {
    const { row, column } = panel.focus;
    // Over a sound or a picture a row and a column are in focus together, and the row has its own place to show in.
    const apart = isOverSound(panel) || isOverPicture(panel);
    const top = isOverPicture(panel) ? largestOnPatches(panel) : panel.top;
    const shift = readingOf(panel.sheet, scene.state);
    const words = panel.sheet.kind === "cross" && panel.sound ? panel.sound.words : [];
    const [unsure, repeated] = [words.filter(isUnsure), words.filter((word) => word.repeated)];
    const isIn = (/** @type {typeof words} */ some, /** @type {number} */ r) => {
      const row = (m.rows[r].positions[0] ?? -1) - shift;
      return some.some(({ first, last }) => first <= row && row <= last);
    };
    text.paint(scene, m.rowOf, row, (r) => ({
      tint: (row < 0 || apart) && column >= 0 ? Math.min(m.values[r * m.columns.length + column] / top, 1) : 0,
      unsure: probability(panel.sheet, m.rows[r], scene.state) < UNSURE || isIn(unsure, r),
      repeated: isIn(repeated, r),
      parked: m.parked[r] >= PARKED,
      differs: m.rows[r].differs,
    }));
  }

  /**
   * Scrolls long texts to what the focus is about.
   *
   * @param {Matrix} m
   * @param {string} focus
   */
  function follow(m, focus) {
    if (focus === focused || !last || isOverPicture(last.main)) return;
    focused = focus;
    const { row, column } = last.focus;
    const width = m.columns.length;
    if (!isOverSound(last.main))
      source.reveal(column >= 0 ? column : strongest(width, (c) => m.values[row * width + c]));
    output.reveal(row >= 0 ? row : strongest(m.rows.length, (r) => m.values[r * width + column]));
  }
  return { element, unsure, paint, connect, tick };
}

/**
 * What the model was less than half sure of, in the order of the text: words of a sound, else the rows of the map.
 *
 * @param {Scene} scene
 * @returns {{text: string, position: number, p: number}[]} `position` is that of its first token
 */
function unsureOf({ trace, main: { sheet, matrix }, state }) {
  if (trace.growing || trace.small) return [];
  const heard = trace.sound?.words ?? [];
  if (heard.length) {
    const shift = readingOf(trace.sheets[0], state);
    return heard
      .filter(isUnsure)
      .map(({ text, first, confidence }) => ({ text, position: first + shift, p: confidence }));
  }
  return (matrix?.rows ?? [])
    .map((row) => ({ text: row.label, position: row.positions[0], p: probability(sheet, row, state) }))
    .filter(({ position, p }) => position !== undefined && p < UNSURE);
}

/**
 * @param {number} count
 * @param {(index: number) => number} weight
 */
function strongest(count, weight) {
  let best = 0;
  for (let i = 1; i < count; i++) if (weight(i) > weight(best)) best = i;
  return best;
}

/**
 * Bézier lines between the two sentences: those of the focused token, or all above the threshold. Drawing every line of
 * every token at once would be a grey hairball.
 *
 * @typedef {{x: number, top: number, bottom: number}} Place
 */

const FAINTEST = 0.03;

/**
 * @param {SVGSVGElement} svg
 * @param {HTMLElement} page what the lines scroll with
 * @param {Scene} scene
 * @param {HTMLElement[]} sources the tokens of the source, by key position
 * @param {HTMLElement[]} outputs the tokens of the output, by query position
 */
export function drawLines(svg, page, scene, sources, outputs) {
  svg.replaceChildren();
  const m = scene.main.matrix;
  // A sentence has many lines of text: a curve from the middle of one says nothing.
  if (!m || scene.state.units === "sentences") return;
  const frame = page.getBoundingClientRect();
  const [above, below] = [sources, outputs].map((tokens) => tokens[0]?.parentElement?.getBoundingClientRect());
  svg.setAttribute("width", String(page.clientWidth));
  svg.setAttribute("height", String(page.clientHeight));
  /** @type {(tokens: HTMLElement[], positions: number[], view: DOMRect | undefined) => Place | null} */
  const placeOf = (tokens, positions, view) => {
    const shown = positions.map((position) => tokens[position]).filter((token) => token && !token.hidden);
    const boxes = shown.flatMap((token) => [...token.getClientRects()]).filter((box) => box.width > 0);
    // A long text scrolls in its own box: no line leads to what is scrolled away.
    if (!boxes.length || !view || boxes[0].bottom > view.bottom + 2 || boxes[0].top < view.top - 2) return null;
    const line = boxes.filter((box) => Math.abs(box.top - boxes[0].top) < 2);
    const left = Math.min(...line.map((box) => box.left));
    const right = Math.max(...line.map((box) => box.right));
    return { x: (left + right) / 2 - frame.left, top: line[0].top - frame.top, bottom: line[0].bottom - frame.top };
  };
  // Measured once each, and only where a line begins or ends.
  const columnPlace = once((c) => placeOf(sources, m.columns[c].positions, above));
  const rowPlace = once((r) => placeOf(outputs, m.rows[r].positions, below));
  /** @type {SVGPathElement[]} */
  const drawn = [];
  const { row, column } = scene.focus;
  const lastRow = scene.state.step >= 0 ? m.rowOf[scene.state.step] : m.rows.length;
  const draw = (/** @type {number} */ r, /** @type {number} */ c) => {
    const value = m.values[r * m.columns.length + c];
    const focused = row >= 0 ? r === row : c === column;
    const wanted = (focused && value >= FAINTEST) || (scene.state.lines && value >= scene.state.threshold);
    if (!wanted || r > lastRow) return;
    const from = columnPlace(c);
    const to = rowPlace(r);
    if (!from || !to) return;
    const middle = (from.bottom + to.top) / 2;
    drawn.push(
      makeSvg("path", {
        d: `M${from.x} ${from.bottom} C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.top}`,
        "stroke-width": 1 + 5 * value,
        "stroke-opacity": focused ? 0.35 + 0.65 * value : 0.15 + 0.4 * value,
        class: focused ? "xv-line xv-line-focus" : "xv-line",
      }),
    );
  };
  // Only the lines that are wanted are looked for: a long text has hundreds of thousands of cells.
  const rows = scene.state.lines || row < 0 ? m.rows.map((_, r) => r) : [row];
  const columns = scene.state.lines || row >= 0 ? m.columns.map((_, c) => c) : [column];
  if (scene.state.lines || row >= 0 || column >= 0) for (const r of rows) for (const c of columns) draw(r, c);
  svg.append(...drawn);
}

/**
 * @param {(index: number) => Place | null} measure
 * @returns {(index: number) => Place | null}
 */
function once(measure) {
  /** @type {Map<number, Place | null>} */
  const places = new Map();
  return (index) => {
    const place = places.get(index);
    if (place !== undefined) return place;
    const measured = measure(index);
    places.set(index, measured);
    return measured;
  };
}
