import { make, makeLeaving } from "../explorer/core/dom.js";
import { makeCueList } from "./cuelist.js";
import { followSound } from "./heard.js";
import { makeScreen } from "./screen.js";

/**
 * Subtitles that run over the page's player of the sound, and the list of them, in which each word can be written anew.
 *
 * @typedef {{number: number, gap: string, text: string, start: number, end: number, edited: boolean}} CueWord
 * @typedef {{start: number, end: number, lines: CueWord[][]}} Cue times are in seconds
 * @typedef {{cues: Cue[], player: string, speed: number | null, can_undo: boolean}} SubtitleData
 * @typedef {(name: string, value: unknown) => void} TellOfWords
 * @typedef {{load: (data: SubtitleData, tell: TellOfWords) => void, leave: () => void}} Subtitles
 */

const UNDO_HELP = "Takes the last change of a word back, its times too.";

/** @type {WeakMap<Element, Subtitles>} */
const allSubtitles = new WeakMap();

/**
 * Mounts the component, or hands new data to the one that is there: called again on every change of data or theme.
 *
 * @param {{data: SubtitleData, parentElement: Element | ShadowRoot, setTriggerValue?: TellOfWords}} component
 */
export default function mount({ data, parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".xv"));
  const subtitles = allSubtitles.get(root) ?? makeSubtitles(root);
  allSubtitles.set(root, subtitles);
  subtitles.load(data, setTriggerValue ?? (() => {}));
  return () => {
    allSubtitles.get(root)?.leave();
    allSubtitles.delete(root);
  };
}

/**
 * @param {HTMLElement} root
 * @returns {Subtitles}
 */
function makeSubtitles(root) {
  /** @type {TellOfWords} */
  let tell = () => {};
  let player = "";
  let turn = 0;
  const isLeaving = makeLeaving();
  const told = (/** @type {string} */ name, /** @type {Record<string, unknown>} */ value) => {
    turn++;
    if (!isLeaving()) tell(name, { ...value, turn });
  };

  const screen = makeScreen();
  const list = makeCueList({
    play: (from) => sound.play(from),
    edit: (number, text) => told("edited", { number, text }),
  });
  const undo = make("button", { type: "button", class: "xv-button", "data-help": UNDO_HELP }, "Undo");
  undo.addEventListener("click", () => told("undone", {}));
  root.addEventListener("keydown", (event) => {
    const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
    if (!isUndo || undo.disabled) return;
    event.preventDefault();
    told("undone", {});
  });
  const help = make("p", { class: "xv-remark" }, "Click a time to hear it, a word to write it anew.");
  root.classList.add("xv-subtitles");
  root.replaceChildren(screen.element, make("div", { class: "xv-acts" }, undo, help), list.element);

  const sound = followSound(
    () => player,
    (time, isRunning) => {
      const at = list.at(time);
      screen.show(list.cue(at), time);
      list.mark(at, isRunning);
    },
  );
  return {
    load(data, tellNow) {
      tell = tellNow;
      player = data.player;
      undo.disabled = !data.can_undo;
      screen.element.hidden = !player;
      list.load(data.cues, data.speed, Boolean(player));
      sound.look();
    },
    leave: sound.leave,
  };
}
