import { make } from "../explorer/core/dom.js";

/**
 * The cue of a moment as a film shows it, with the word that is being said in colour. What is read out is the list.
 *
 * @typedef {import("./subtitles.js").Cue} Cue
 */
export function makeScreen() {
  const element = make("div", { class: "xv-screen", "aria-hidden": "true" });
  /** @type {Cue | null} */
  let shown = null;
  /** @type {{start: number, end: number, element: HTMLElement}[]} */
  let spoken = [];
  return {
    element,
    /**
     * @param {Cue | null} cue
     * @param {number} time
     */
    show(cue, time) {
      if (cue !== shown) {
        shown = cue;
        spoken = [];
        const lines = (cue?.lines ?? []).map((line) => {
          const words = line.map((word, i) => {
            const said = make("bdi", { class: "xv-said-word" }, word.text);
            spoken.push({ start: word.start, end: word.end, element: said });
            return [i ? word.gap : "", said];
          });
          return make("div", { class: "xv-screen-line", dir: "auto" }, ...words.flat());
        });
        element.replaceChildren(...lines);
      }
      for (const { start, end, element: said } of spoken) {
        said.classList.toggle("xv-now", start <= time && time < end);
      }
    },
  };
}
