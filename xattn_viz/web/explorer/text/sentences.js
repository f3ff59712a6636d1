import { make } from "../core/dom.js";
import { wordsOf } from "../core/kinds.js";
import { columnMaxima, probability, readingOf } from "../core/matrix.js";
import { PARKED, UNREAD, UNSURE } from "../core/scene.js";
import { rowAxis } from "../core/units.js";
import { isSeen, largestSeen, sideSeen } from "../picture/seen.js";
import { isHeard, spokenAt } from "../sound/spoken.js";
import { revealed } from "../sound/time.js";
import { drawLines } from "./lines.js";
import { makeSentence } from "./sentence.js";

/**
 * The two sentences as text, tinted by their weights, with the other output below where there is one. Of sound there
 * is only what was written of it: a click on a word plays it.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/matrix.js").Matrix} Matrix
 */

/**
 * @param {import("../core/scene.js").Change} change
 * @param {import("../sound/player.js").Player} player
 */
export function makeSentences(change, player) {
  const lines = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  lines.setAttribute("class", "xv-lines");
  lines.setAttribute("aria-hidden", "true");
  const source = makeSentence("column", "xv-columns", change);
  const heard = (/** @type {number} */ position) => {
    const stretch = last && spokenAt(last, [position]);
    if (!last?.trace.sound || !stretch) return;
    player.play(stretch);
    change(revealed(last.trace.sound, last.state, stretch));
  };
  const output = makeSentence("row", "xv-rows", change, heard);
  const other = makeSentence("row", "xv-others", change);
  const page = make("div", { class: "xv-page" }, source.element, output.element, other.element);
  page.append(lines);
  const element = make("div", { class: "xv-sentences" }, page);
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
    const listens = isHeard(main) || sideSeen(main.sheet) === "columns";
    const draws = sideSeen(main.sheet) === "rows";
    // Where rows are frames or patches too, the text that was written stays.
    const textless = Boolean(main.sheet.queries.edges) || Boolean(main.sheet.queries.grid && !draws);
    const axis = rowAxis(textless ? trace.sheets[0] : main.sheet, state);
    output.element.hidden = draws;
    source.element.hidden = listens;
    if (!listens) source.show(main.sheet.keys, state.special, words.columns, words.columnsCaption);
    if (!draws)
      output.show(
        axis,
        state.special,
        trace.sound ? "Transcript" : words.rows,
        main.name || (listens && axis.kind !== "latent" ? "" : words.rowsCaption),
      );
    other.element.hidden = !compared;
    if (compared && second) {
      other.show(rowAxis(second.sheet, state), state.special, `Output sentence ${second.name}`, second.name);
    }
    const sources = listens ? 0 : main.sheet.keys.labels.length;
    // The letters keep their size while the output grows to about the length of its source.
    const outputs = draws ? 0 : trace.growing ? Math.max(axis.labels.length, sources) : axis.labels.length;
    const length = sources + outputs * (compared ? 2 : 1);
    element.dataset.length = length <= 34 ? "short" : length <= 90 ? "medium" : length <= 240 ? "long" : "huge";
    page.classList.toggle("xv-alone", draws);
    page.classList.toggle("xv-words", state.units !== "pieces");
    if (!main.matrix) return;
    if (textless || draws) output.paint(scene, [], -1, () => ({ tint: 0 }));
    else paintOutput(output, scene, main, main.matrix);
    if (!listens) paintSource(scene, main, main.matrix);
    if (compared && second?.matrix) paintOutput(other, scene, second, second.matrix);
    output.write(state.step);
    source.write(main.sheet.kind === "decoder" ? state.step : -1);
    follow(main.matrix, [trace.id, main.sheet.kind, main.view.name, scene.focus.row, scene.focus.column].join(" "));
    if (listens || draws) lines.replaceChildren();
    else drawLines(lines, page, scene, source.tokens, output.tokens);
    tick();
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
    output.speak((position) => Boolean(word && word.first <= position - shift && position - shift <= word.last));
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {Matrix} m
   */
  function paintSource(scene, panel, m) {
    const { row, column } = panel.focus;
    const width = m.columns.length;
    const maxima = columnMaxima(m);
    const top = isSeen(panel) ? largestSeen(panel) : panel.top;
    source.paint(scene, m.columnOf, column, (c) => ({
      tint: row >= 0 ? Math.min(m.values[row * width + c] / top, 1) : 0,
      unread: !m.columns[c].special && maxima[c] < UNREAD,
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
    const apart = isHeard(panel) || isSeen(panel);
    const top = isSeen(panel) ? largestSeen(panel) : panel.top;
    text.paint(scene, m.rowOf, row, (r) => ({
      tint: (row < 0 || apart) && column >= 0 ? Math.min(m.values[r * m.columns.length + column] / top, 1) : 0,
      unsure: probability(panel.sheet, m.rows[r], scene.state) < UNSURE,
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
    if (focus === focused || !last || isSeen(last.main)) return;
    focused = focus;
    const { row, column } = last.focus;
    const width = m.columns.length;
    if (!isHeard(last.main)) source.reveal(column >= 0 ? column : strongest(width, (c) => m.values[row * width + c]));
    output.reveal(row >= 0 ? row : strongest(m.rows.length, (r) => m.values[r * width + column]));
  }
  return { element, paint, tick };
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
