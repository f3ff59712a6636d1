import { make } from "../explorer/core/dom.js";

/**
 * The cues as a list: when each is shown, its words, how fast it has to be read. A word is written anew in its place.
 *
 * @typedef {import("./subtitles.js").Cue} Cue
 * @typedef {import("./subtitles.js").CueWord} CueWord
 */

/** @param {{play: (from: number) => void, edit: (number: number, text: string) => void}} acts */
export function makeCueList(acts) {
  const element = make("ol", { class: "xv-cues", "aria-label": "Subtitles" });
  /** @type {Cue[]} */
  let cues = [];
  let known = "";
  let marked = -1;
  /** @type {number | null} which word has the focus again once the list is made anew */
  let returnTo = null;

  /** @param {CueWord} word */
  function makeWord(word) {
    const title = `${word.start.toFixed(2)}–${word.end.toFixed(2)} s`;
    const button = make("button", { type: "button", class: "xv-cue-word", title, "data-number": word.number });
    button.append(make("bdi", {}, word.text));
    button.classList.toggle("xv-edited", word.edited);
    button.addEventListener("click", () => writeAnew(word, button));
    return button;
  }

  /**
   * @param {CueWord} word
   * @param {HTMLButtonElement} button
   */
  function writeAnew(word, button) {
    const field = make("input", { class: "xv-cue-field", "aria-label": `In place of ${word.text}`, dir: "auto" });
    field.value = word.text;
    field.size = Math.max(word.text.length, 2);
    let isOver = false;
    const end = (/** @type {boolean} */ isTaken, /** @type {boolean} */ isBack) => {
      if (isOver) return;
      isOver = true;
      const text = field.value.trim();
      field.replaceWith(button);
      if (isBack) button.focus();
      if (!isTaken || text === word.text) return;
      returnTo = isBack ? word.number : null;
      /** @type {HTMLElement} */ (button.firstElementChild).textContent = text;
      button.classList.add("xv-edited");
      acts.edit(word.number, text);
    };
    field.addEventListener("input", () => {
      field.size = Math.max(field.value.length, 2);
    });
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === "Escape") {
        event.preventDefault();
        end(event.key === "Enter", true);
      }
      event.stopPropagation(); // no key of the page
    });
    field.addEventListener("blur", () => end(true, false));
    button.replaceWith(field);
    field.focus();
    field.select();
  }

  /**
   * @param {Cue} cue
   * @param {number | null} speed
   * @param {boolean} canPlay
   */
  function makeRow(cue, speed, canPlay) {
    const when = make("button", { type: "button", class: "xv-button xv-when" }, clock(cue.start));
    when.setAttribute("aria-label", `Play from ${clock(cue.start)}`);
    when.disabled = !canPlay;
    when.addEventListener("click", () => acts.play(cue.start));
    const lines = cue.lines.map((line) =>
      make("div", { dir: "auto" }, ...line.flatMap((word, i) => [i ? word.gap : "", makeWord(word)])),
    );
    const seconds = cue.end - cue.start;
    const texts = cue.lines.map((line) => line.map((word, i) => (i ? word.gap : "") + word.text).join(""));
    const rate = [...texts.join(" ")].length / seconds;
    const rated = make("span", { class: "xv-rate" }, `${seconds.toFixed(1)} s · ${Math.round(rate)}/s`);
    rated.title = "How long it is shown, and characters a second";
    if (speed && rate > speed + 0.5) {
      rated.classList.add("xv-fast");
      rated.append(" · fast");
    }
    return make("li", {}, when, make("div", { class: "xv-cue-lines" }, ...lines), rated);
  }

  return {
    element,
    /**
     * @param {Cue[]} fresh
     * @param {number | null} speed
     * @param {boolean} canPlay
     */
    load(fresh, speed, canPlay) {
      const told = JSON.stringify([fresh, speed, canPlay]);
      if (told === known) return;
      known = told;
      const top = element.scrollTop;
      cues = fresh;
      marked = -1;
      element.replaceChildren(...cues.map((cue) => makeRow(cue, speed, canPlay)));
      element.scrollTop = top;
      if (returnTo !== null) {
        const word = /** @type {HTMLElement | null} */ (element.querySelector(`[data-number="${returnTo}"]`));
        word?.focus({ preventScroll: true });
      }
      returnTo = null;
    },
    /** Which cue is shown at a moment; -1 for none. @param {number} time */
    at: (time) => cues.findIndex((cue) => cue.start <= time && time < cue.end),
    /** @param {number} at @returns {Cue | null} */
    cue: (at) => cues[at] ?? null,
    /**
     * @param {number} at
     * @param {boolean} isRunning then the list scrolls with it
     */
    mark(at, isRunning) {
      if (at === marked) return;
      element.children[marked]?.removeAttribute("aria-current");
      marked = at;
      const row = /** @type {HTMLElement | undefined} */ (element.children[at]);
      row?.setAttribute("aria-current", "true");
      if (row && isRunning) {
        const above = row.offsetTop; // in the list
        const isOutside =
          above < element.scrollTop || above + row.offsetHeight > element.scrollTop + element.clientHeight;
        if (isOutside) element.scrollTop = above - element.clientHeight / 3;
      }
    },
  };
}

/** Minutes, seconds and tenths: "1:05.3". @param {number} seconds */
function clock(seconds) {
  const tenths = Math.floor(seconds * 10 + 1e-6);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}
