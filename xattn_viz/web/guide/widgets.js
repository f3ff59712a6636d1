/**
 * Streamlit's own controls on the pages, by the key of each: what it is called and what it does; and how elements are
 * found in other components, each of which has a shadow of its own.
 *
 * @typedef {import("../explorer/core/help.js").Help} Help
 */

/** @type {Record<string, [string, string]>} */
export const WIDGETS = {
  direction: [
    "Model",
    "Which model works here. Those without a size ship with the program; others are downloaded first.",
  ],
  other: ["Name of a model", "The name of a model on the Hugging Face hub, or a folder on the machine of the server."],
  swap: ["Swap", "Swap the languages: the translation becomes the text, and is translated back."],
  example: ["Examples", "Inputs worth seeing, each with the head that shows it."],
  clip: ["Clips", "Recordings worth hearing, each with the head that follows it."],
  picture: ["Scenes", "Pictures worth seeing, each with the head that shows it."],
  options: ["Options", "How the model searches, what it shows besides, and whether the map grows while it works."],
  text: ["Text", "Type anything here and press Enter: the model reads it, and every map follows."],
  recording: ["Record", "Speak: what was recorded is written down at once."],
  upload: ["Upload", "A file of your own. It stays on the machine of the server, for this visit."],
  own: ["Draw or upload", "Opens a sheet on which you put shapes, and a place for a picture of your own."],
  option_hint: ["Hint", "A sentence that the model reads beside the picture."],
  option_seed: ["Seed", "Which noise the drawing begins as: the same number gives the same drawing."],
  tab: ["Map or evidence", "The map of what was read, or what each head costs and does when it is taken away."],
  output: ["Output", "Another beam of the search, or a text of your own that the model reads the source for."],
  beside: ["Beside the best", "Both outputs of the same source, their tokens aligned and the differences marked."],
  previous: ["Previous", "The part before."],
  next: ["Next", "The part behind."],
  "word-times": ["Word times", "Which heads the times of words come from."],
  sentence: [
    "Say it",
    "Describe shapes in words, such as a red circle left of a blue star, and they are drawn for you.",
  ],
  panel: ["This head in numbers", "How spread its weight is, its strongest links, and the map as a figure."],
  sources: ["What each word reads", "How much each word took from the picture and from the hint."],
  HTML: ["HTML", "All that is shown here as one page that works without a network."],
  JSON: ["JSON", "This map as numbers with its labels."],
  CSV: ["CSV", "This map as a table."],
  NPZ: ["NPZ", "All maps of this trace, for Python."],
  section: ["Lessons", "Each shows one part of attention, with numbers that you change."],
};

/**
 * The help of one of Streamlit's controls, or of what an element is in.
 *
 * @param {Element} target
 * @returns {Help | null}
 */
export function helpOnPage(target) {
  for (
    let at = target.closest('[class*="st-key-"]');
    at;
    at = at.parentElement?.closest('[class*="st-key-"]') ?? null
  ) {
    const named = WIDGETS[keyOf(at)];
    if (named && at instanceof HTMLElement) return { element: at, text: named[1] };
  }
  return null;
}

/** @param {Element} element */
function keyOf(element) {
  const name = [...element.classList].find((each) => each.startsWith("st-key-")) ?? "";
  return name.slice("st-key-".length);
}

/**
 * All elements of a page that fit a selector and can be seen, those inside components too.
 *
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export function seen(selector) {
  const roots = [document, ...[...document.querySelectorAll("*")].flatMap(({ shadowRoot }) => shadowRoot ?? [])];
  return roots
    .flatMap((root) => [...root.querySelectorAll(selector)])
    .filter((element) => element instanceof HTMLElement && element.checkVisibility() && element.offsetHeight > 0)
    .map((element) => /** @type {HTMLElement} */ (element));
}
