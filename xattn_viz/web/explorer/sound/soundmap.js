import { isEnlarged, isolated, make, rem, SMALLEST_FONT } from "../core/dom.js";
import { cellIn } from "../core/kinds.js";
import {
  besides,
  LABEL_LINE,
  LARGEST_FONT,
  makeMapFrame,
  markRows,
  READABLE_ROWS,
  rowLabelsOf,
  widthOf,
} from "../core/mapframe.js";
import { panelTitle } from "../text/heatmap.js";
import { spokenSpan } from "./sound.js";
import { framesOf, paintMarks, paintSound, paintSoundCells, paintTint, rowPixels } from "./soundpaint.js";
import { followPointer } from "./soundpointer.js";
import { moment, revealed, ticks } from "./time.js";

/**
 * One map over sound, large: its spectrogram, the seconds and the words above it on the very same time axis.
 *
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {import("./sound.js").Stretch} Stretch
 */

/**
 * @param {import("../core/scene.js").Change} change
 * @param {() => Player} playing what plays the sound of the map that is shown
 */
export function makeSoundMap(change, playing) {
  const words = make("div", { class: "xv-timed-words", "aria-hidden": "true" });
  const picture = make("canvas", { class: "xv-picture" });
  const tint = make("canvas", { class: "xv-tint" });
  const spectrogram = make("div", { class: "xv-spectrogram", "aria-hidden": "true" }, picture, tint);
  const ruler = make("div", { class: "xv-ruler", "aria-hidden": "true" });
  const cursors = [0, 1].map(() => make("div", { class: "xv-cursor", "aria-hidden": "true" }));
  const time = make("div", { class: "xv-time" }, words, spectrogram, ruler, cursors[0]);
  const parts = makeMapFrame(time, cursors[1]);
  const { title, axes, rowLabels, cells, frame, stage, grid, view, empty, element } = parts;
  /** @type {SoundGrid | null} */
  let fit = null;
  /** @type {Scene | null} */
  let last = null;
  /** @type {Panel | null} */
  let shown = null;
  let [laidOut, pictured, painted] = ["", "", ""];
  /** @type {Sound | null} */
  let lastSound = null;

  const place = () => (last && shown && fit ? { scene: last, panel: shown, fit } : null);
  followPointer({ stage, time: spectrogram, ruler }, place, change, playing);
  words.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const word = shown?.sound?.words[Number(button?.dataset.word ?? -1)];
    if (word) playing().play({ from: word.start, to: word.end });
  });
  rowLabels.addEventListener("click", (event) => {
    const label = event.target instanceof Element ? event.target.closest(".xv-label") : null;
    const row = label ? [...rowLabels.children].indexOf(label) : -1;
    if (!last || !shown || row < 0 || shown.sheet.queries.edges) return;
    change({ ...cellIn(shown.sheet, last.main.sheet, { row, column: -1 }), checked: null, step: -1 });
    const { sound } = shown;
    const said = shown.sheet.kind === "cross" && spokenSpan(last, shown.matrix?.rows[row].positions ?? [], sound);
    if (!said || !sound || !last.trace.sound) return;
    playing().play(said);
    change(revealed(last.trace.sound, last.state, moment(said, sound, last.trace.sound)));
  });

  /**
   * Says what the map is, before the room for it is measured.
   *
   * @param {Scene} scene
   * @param {Panel} panel
   */
  function entitle(scene, panel) {
    title.textContent = panelTitle(scene, panel);
    const m = panel.matrix;
    grid.hidden = !m?.rows.length || !panel.sound;
    empty.textContent = m ? (grid.hidden ? "Nothing is written yet." : "") : "Asking for this layer …";
    axes.element.hidden = grid.hidden;
    axes.paint(panel, scene.state);
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {import("../core/mapframe.js").Room} room
   */
  function paint(scene, panel, { width, height, most }) {
    last = scene;
    shown = panel;
    const m = panel.matrix;
    const { sound, range } = panel;
    if (!m || !sound || !range || grid.hidden) return;
    const other = besides(scene, panel);
    const named = m.rows.map((row, r) => [row.label, row.differs, other?.rows[r]?.label]);
    const layout = JSON.stringify([width, height, most, panel.sheet.kind, named, sound.words.length > 0]);
    if (layout !== laidOut || !fit) {
      laidOut = layout;
      fit = fitSoundMap(panel, { width, height, most }, sound.words.length > 0, other ?? m);
      layOut(panel, m, fit);
    }
    const inView = [layout, range.from, range.to, scene.theme.dark, window.devicePixelRatio].join(" ");
    // The same trace comes with another sound when its words are timed by other heads.
    if (inView !== pictured || sound !== lastSound) {
      [pictured, lastSound] = [inView, sound];
      paintSound(picture, sound, range, fit.wide, fit.soundHigh, scene.theme);
      fillRuler(ruler, range, fit.wide);
      fillWords(words, sound, range, fit.wide);
    }
    const apart = panel.apart && scene.second ? [scene.second.sheet.id, scene.second.view.name] : [];
    const choice = [
      panel.sheet.id,
      panel.view.name,
      ...apart,
      scene.state.units,
      scene.state.rows,
      scene.state.special,
    ];
    const look = [inView, ...choice, panel.top, scene.state.colours].join(" ");
    if (look !== painted) {
      painted = look;
      paintSoundCells(cells, scene, panel, range, fit.wide, fit.cellHeight * m.rows.length);
    }
    paintFocus(scene, panel, m, fit);
    if (!panel.sheet.queries.edges) markRows(rowLabels, scene, panel, m, fit.everyRow);
    parts.hideComing(panel, fit.cellHeight);
    if (fit.scrolls) reveal(panel.focus.row, fit);
    cursor();
    Object.assign(stage.dataset, { cellHeight: String(fit.cellHeight), top: String(panel.top) });
    Object.assign(stage.dataset, { from: String(range.from), to: String(range.to) });
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {import("../core/matrix.js").Matrix} m
   * @param {SoundGrid} made
   */
  function paintFocus(scene, panel, m, made) {
    const range = /** @type {Stretch} */ (panel.range);
    const { row } = panel.focus;
    const frames = framesOf(/** @type {number[]} */ (panel.edges), range, picture.width);
    const shares = row < 0 ? null : rowPixels(m, row, frames).map((weight) => Math.abs(weight) / panel.top || 0);
    paintTint(tint, shares, made.wide, made.soundHigh, scene.theme);
    paintMarks(frame, scene, panel, made);
  }

  /**
   * @param {Panel} panel
   * @param {import("../core/matrix.js").Matrix} m
   * @param {SoundGrid} made
   */
  function layOut(panel, m, made) {
    grid.style.gridTemplateColumns = `${made.labelWidth}px ${made.wide}px`;
    spectrogram.style.height = `${made.soundHigh}px`;
    words.hidden = !made.words;
    rowLabels.style.fontSize = `${made.rowFont}px`;
    if (panel.sheet.queries.edges) rowLabels.replaceChildren(...made.secondsOf(panel.sheet.queries.edges));
    else rowLabels.replaceChildren(...rowLabelsOf(m, made));
    view.style.setProperty("--xv-pane", made.scrolls ? `${made.room}px` : "none");
  }

  /**
   * Scrolls a long transcript to the row in focus, unless the pointer is in the map: nothing moves away under it.
   *
   * @param {number} row
   * @param {SoundGrid} made
   */
  function reveal(row, made) {
    if (row < 0 || (view.matches(":hover") && (!isEnlarged() || last?.state.hover))) return;
    const high = view.clientHeight - time.offsetHeight;
    const y = (row + 0.5) * made.cellHeight;
    if (y < view.scrollTop || y > view.scrollTop + high) view.scrollTop = y - high / 2;
  }

  /** Puts the thin line where the sound is. */
  function cursor() {
    const range = shown?.range;
    const player = playing();
    const at = player.time;
    const isInView = Boolean(range && fit && player.ready && at >= range.from && at <= range.to);
    for (const line of cursors) {
      line.hidden = !isInView || (!player.running && at <= (shown?.sound?.start ?? 0));
      if (range && fit && isInView) line.style.left = `${((at - range.from) / (range.to - range.from)) * fit.wide}px`;
    }
  }
  return {
    element,
    entitle,
    paint,
    cursor,
    /** @param {string} said */
    name(said) {
      element.setAttribute("aria-label", said);
      stage.setAttribute(
        "aria-label",
        `${said}: arrow keys move over its rows and through time, plus and minus zoom, 0 shows all of the sound`,
      );
    },
  };
}

/**
 * How large the parts of a map over sound are, in CSS pixels; the limits below are for a font size of 16.
 *
 * @typedef {object} SoundGrid
 * @property {number} rows
 * @property {number} wide the time axis
 * @property {number} soundHigh the spectrogram
 * @property {boolean} words whether words stand over the spectrogram
 * @property {number} cellHeight
 * @property {number} labelWidth of the row labels
 * @property {number} everyRow label every n-th row
 * @property {number} rowFont
 * @property {number} room that the map may take before it scrolls
 * @property {boolean} scrolls
 * @property {(edges: number[]) => HTMLElement[]} secondsOf labels of rows that are frames of sound
 */

const LONGEST_LABEL = 150;
const SOUND_HEIGHT = 104;
const LOWEST_SOUND = 60;
const WORDS_HEIGHT = 20;
const RULER_HEIGHT = 20;
const TALLEST_CELL = 30;
const SECONDS_WIDTH = 52;

/**
 * @param {Panel} panel
 * @param {import("../core/mapframe.js").Room} room
 * @param {boolean} words
 * @param {import("../core/matrix.js").Matrix} [other] the one beside it, so that both have one time axis
 * @returns {SoundGrid}
 */
export function fitSoundMap(panel, { width, height, most }, words, other) {
  const unit = rem();
  const m = /** @type {import("../core/matrix.js").Matrix} */ (panel.matrix);
  const rows = m.rows.length;
  const frames = Boolean(panel.sheet.queries.edges);
  // The names of special tokens are long and say little: they are cut where the words need less.
  const all = [...m.rows, ...(other?.rows ?? [])];
  const said = all.filter(({ special }) => !special);
  const longest = Math.max(...(said.length ? said : all).map(({ label }) => widthOf(label, LARGEST_FONT * unit)));
  const labelled = Math.min(Math.min(longest, LONGEST_LABEL * unit) + 22 * unit, Math.max(width * 0.3, 70));
  const labelWidth = Math.ceil(frames ? SECONDS_WIDTH * unit : labelled);
  // In a low window the sound is drawn lower, so that more of the map is in view.
  const low = isEnlarged() ? height / 4 : Math.max(0.1 * most, LOWEST_SOUND * unit);
  const soundHigh = Math.round(Math.min(low, SOUND_HEIGHT * unit));
  const above = soundHigh + (RULER_HEIGHT + (words ? WORDS_HEIGHT : 0)) * unit;
  const line = Math.ceil(LABEL_LINE * SMALLEST_FONT * unit);
  const smallest = frames ? 1 : rows <= READABLE_ROWS || isEnlarged() ? line : 3;
  const inWindow = frames ? 0 : Math.min((most - above) / rows, line);
  const cell = Math.max(Math.min(Math.max((height - above) / rows, inWindow), TALLEST_CELL * unit), smallest);
  const cellHeight = frames ? cell : Math.floor(cell);
  const rowFont = Math.min(Math.max(cellHeight / LABEL_LINE, SMALLEST_FONT * unit), LARGEST_FONT * unit);
  const room = Math.max(height, most);
  return {
    rows,
    wide: Math.max(Math.floor(width - labelWidth), 100),
    soundHigh,
    words,
    cellHeight,
    labelWidth,
    everyRow: Math.ceil((LABEL_LINE * rowFont) / cellHeight - 0.01),
    rowFont,
    room,
    scrolls: !frames && above + rows * cellHeight > room + 1,
    secondsOf: (edges) => secondsBeside(edges, cellHeight * rows),
  };
}

/**
 * Round seconds beside rows that are frames.
 *
 * @param {number[]} edges
 * @param {number} height
 */
function secondsBeside(edges, height) {
  const range = { from: edges[0], to: edges[edges.length - 1] };
  return ticks(range, height, 32 * rem()).map(({ time, label }) => {
    const mark = make("div", { class: "xv-label xv-row-tick" }, label);
    mark.style.top = `${((time - range.from) / (range.to - range.from)) * height}px`;
    return mark;
  });
}

/**
 * What stands on a time axis besides pictures: round seconds, and the words where there is room for them.
 */

const TICKS_APART = 64; // pixels at a font size of 16
const WORD_FONT = 12;
const UNIT_WIDTH = 44;

/**
 * @param {HTMLElement} element
 * @param {Stretch} range
 * @param {number} width
 */
export function fillRuler(element, range, width) {
  const marks = ticks(range, width, TICKS_APART * rem()).flatMap(({ time, label }) => {
    const left = ((time - range.from) / (range.to - range.from)) * width;
    if (left > width - UNIT_WIDTH * rem()) return []; // the unit stands there
    const mark = make("span", { class: "xv-tick" }, label);
    mark.style.left = `${left}px`;
    return [mark];
  });
  element.replaceChildren(...marks, make("span", { class: "xv-tick-unit" }, "s"));
}

/**
 * The words that lie in view, each a button over its own time; a word that does not fit stands there without its text.
 *
 * @param {HTMLElement} element
 * @param {Sound} sound
 * @param {Stretch} range
 * @param {number} width
 */
export function fillWords(element, sound, range, width) {
  const scale = width / (range.to - range.from);
  const shown = sound.words.flatMap((word, number) => {
    const left = Math.max((word.start - range.from) * scale, 0);
    const right = Math.min((word.end - range.from) * scale, width);
    if (right - left < 1) return [];
    const fits = widthOf(word.text, WORD_FONT * rem()) + 4 <= right - left;
    const doubt = word.repeated ? ", repeated by the model" : "";
    const margins = [word.startMargin, word.endMargin];
    const off = Math.max(...margins) ? `, give or take ${margins.map((each) => each.toFixed(2)).join(" and ")} s` : "";
    const title = `${word.text}: ${word.start.toFixed(2)}–${word.end.toFixed(2)} s${off}${doubt}`;
    const look = word.repeated ? "xv-said xv-repeated" : "xv-said";
    const button = make("button", { type: "button", class: look, title, "data-word": number, tabindex: -1 });
    if (fits) button.append(isolated(word.text));
    Object.assign(button.style, { left: `${left}px`, width: `${right - left}px` });
    // An edge is as soft as it is unsure, and the middle of a word stays.
    const soft = (/** @type {number} */ margin) => `${Math.min(margin * scale, 0.45 * (right - left))}px`;
    button.style.setProperty("--xv-from", soft(word.startMargin));
    button.style.setProperty("--xv-to", soft(word.endMargin));
    return [button];
  });
  element.replaceChildren(...shown);
}
