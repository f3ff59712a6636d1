import { make } from "../core/dom.js";
import { carried, titled } from "../core/kinds.js";
import { makeMapFrame } from "../core/mapframe.js";
import { viewTitle } from "../core/payload.js";
import { markRows, rowLabelsOf } from "../text/labels.js";
import { fillRuler, fillWords } from "./ruler.js";
import { framesOf, paintHeard, rowPixels } from "./soundcells.js";
import { fitHeard } from "./soundgrid.js";
import { paintMarks } from "./soundmarks.js";
import { followPointer } from "./soundpointer.js";
import { spokenAt } from "./spoken.js";
import { paintSound, paintTint } from "./strip.js";
import { revealed } from "./time.js";

/**
 * One map over sound, large: its spectrogram, the seconds and the words above it on the very same time axis.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("../core/scene.js").Panel} Panel
 * @typedef {import("./soundgrid.js").HeardGrid} HeardGrid
 * @typedef {import("./player.js").Player} Player
 */

/**
 * @param {import("../core/scene.js").Change} change
 * @param {Player} player
 */
export function makeSoundMap(change, player) {
  const words = make("div", { class: "xv-spoken-words", "aria-hidden": "true" });
  const picture = make("canvas", { class: "xv-picture" });
  const tint = make("canvas", { class: "xv-tint" });
  const heard = make("div", { class: "xv-heard", "aria-hidden": "true" }, picture, tint);
  const ruler = make("div", { class: "xv-ruler", "aria-hidden": "true" });
  const cursors = [0, 1].map(() => make("div", { class: "xv-cursor", "aria-hidden": "true" }));
  const time = make("div", { class: "xv-time" }, words, heard, ruler, cursors[0]);
  const { title, rowLabels, cells, frame, stage, grid, view, empty, element } = makeMapFrame(time, cursors[1]);
  /** @type {HeardGrid | null} */
  let fit = null;
  /** @type {Scene | null} */
  let last = null;
  /** @type {Panel | null} */
  let shown = null;
  let [laidOut, pictured, painted] = ["", "", ""];
  /** @type {import("./sound.js").Sound | null} */
  let heardLast = null;

  const place = () => (last && shown && fit ? { scene: last, panel: shown, fit } : null);
  followPointer({ stage, time: heard, ruler }, place, change, player);
  words.addEventListener("click", (event) => {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const word = last?.trace.sound?.words[Number(button?.dataset.word ?? -1)];
    if (word) player.play({ from: word.start, to: word.end });
  });
  rowLabels.addEventListener("click", (event) => {
    const label = event.target instanceof Element ? event.target.closest(".xv-label") : null;
    const row = label ? [...rowLabels.children].indexOf(label) : -1;
    if (!last || !shown || row < 0 || shown.sheet.queries.edges) return;
    change({ ...carried(shown.sheet, last.main.sheet, { row, column: -1 }), checked: null, step: -1 });
    const said = shown.sheet.kind === "cross" && spokenAt(last, shown.matrix?.rows[row].positions ?? []);
    if (!said || !last.trace.sound) return;
    player.play(said);
    change(revealed(last.trace.sound, last.state, said));
  });

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {number} width
   * @param {number} height
   */
  function paint(scene, panel, width, height) {
    last = scene;
    shown = panel;
    title.textContent = titled(scene.trace, panel, viewTitle(panel.view));
    const m = panel.matrix;
    const { sound } = scene.trace;
    grid.hidden = !m?.rows.length || !sound;
    empty.textContent = m ? (grid.hidden ? "Nothing is written yet." : "") : "Asking for this layer …";
    if (!m || !sound || !scene.range || grid.hidden) return;
    const named = m.rows.map((row) => [row.label, row.differs]);
    const layout = JSON.stringify([width, height, panel.sheet.kind, named, sound.words.length > 0]);
    if (layout !== laidOut || !fit) {
      laidOut = layout;
      fit = fitHeard(panel, width, height, sound.words.length > 0);
      layOut(panel, m, fit);
    }
    const seen = [layout, scene.range.from, scene.range.to, scene.theme.dark, window.devicePixelRatio].join(" ");
    // The same trace comes with another sound when its words are read off other heads.
    if (seen !== pictured || sound !== heardLast) {
      [pictured, heardLast] = [seen, sound];
      paintSound(picture, sound, scene.range, fit.wide, fit.soundHigh, scene.theme);
      fillRuler(ruler, scene.range, fit.wide);
      fillWords(words, sound, scene.range, fit.wide);
    }
    const choice = [panel.sheet.id, panel.view.name, scene.state.units, scene.state.rows, scene.state.special];
    const look = [seen, ...choice, panel.top, scene.state.colours].join(" ");
    if (look !== painted) {
      painted = look;
      paintHeard(cells, scene, panel, scene.range, fit.wide, fit.cellHeight * m.rows.length);
    }
    paintFocus(scene, panel, m, fit);
    if (!panel.sheet.queries.edges) markRows(rowLabels, scene, panel, m);
    if (fit.scrolls) reveal(panel.focus.row, fit);
    cursor();
    Object.assign(stage.dataset, { cellHeight: String(fit.cellHeight), top: String(panel.top) });
    Object.assign(stage.dataset, { from: String(scene.range.from), to: String(scene.range.to) });
  }

  /**
   * @param {Scene} scene
   * @param {Panel} panel
   * @param {import("../core/matrix.js").Matrix} m
   * @param {HeardGrid} made
   */
  function paintFocus(scene, panel, m, made) {
    const range = /** @type {import("./sound.js").Stretch} */ (scene.range);
    const { row } = panel.focus;
    const frames = framesOf(/** @type {number[]} */ (panel.sheet.keys.edges), range, picture.width);
    const shares = row < 0 ? null : rowPixels(m, row, frames).map((weight) => weight / panel.top);
    paintTint(tint, shares, made.wide, made.soundHigh, scene.theme);
    paintMarks(frame, scene, panel, made);
  }

  /**
   * @param {Panel} panel
   * @param {import("../core/matrix.js").Matrix} m
   * @param {HeardGrid} made
   */
  function layOut(panel, m, made) {
    grid.style.gridTemplateColumns = `${made.labelWidth}px ${made.wide}px`;
    heard.style.height = `${made.soundHigh}px`;
    words.hidden = !made.words;
    rowLabels.style.fontSize = `${made.rowFont}px`;
    if (panel.sheet.queries.edges) rowLabels.replaceChildren(...made.secondsOf(panel.sheet.queries.edges));
    else rowLabels.replaceChildren(...rowLabelsOf(m, made));
    view.style.maxHeight = made.scrolls ? `${made.room}px` : "";
  }

  /**
   * Scrolls a long transcript to the row in focus, unless the pointer is in the map: nothing moves away under it.
   *
   * @param {number} row
   * @param {HeardGrid} made
   */
  function reveal(row, made) {
    if (row < 0 || view.matches(":hover")) return;
    const high = view.clientHeight - time.offsetHeight;
    const y = (row + 0.5) * made.cellHeight;
    if (y < view.scrollTop || y > view.scrollTop + high) view.scrollTop = y - high / 2;
  }

  /** Puts the thin line where the sound is. */
  function cursor() {
    const range = last?.range;
    const at = player.time;
    const seen = Boolean(range && fit && player.ready && at >= range.from && at <= range.to);
    for (const line of cursors) {
      line.hidden = !seen || (!player.running && at <= (last?.trace.sound?.start ?? 0));
      if (range && fit && seen) line.style.left = `${((at - range.from) / (range.to - range.from)) * fit.wide}px`;
    }
  }
  return {
    element,
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
