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
  shelf: ["Examples", "Inputs worth seeing, by what each shows, with a line on what to look at."],
  example: ["Examples", "Inputs worth seeing, each with the head that shows it."],
  ask: ["Run", "The model reads what is given, and the map follows."],
  picture: ["Pictures", "Scenes and charts worth seeing, whose truth is known."],
  asked: ["Questions", "What can be asked about this picture, so that the answer can be judged."],
  options: ["Options", "How the model searches, what it shows besides, and whether the map grows while it works."],
  compare: ["Compare", "Another input, model, output or setting beside this one, and how the two maps differ."],
  "compare-text": ["Another text", "The same model reads this one too, and both maps stand side by side."],
  "compare-input": ["Another that ships", "It stands beside the first, by the same model."],
  "compare-recording": ["Record", "What was recorded stands beside the first."],
  "compare-upload": ["Another of your own", "A file of your own stands beside the first."],
  "compare-scene": ["Say another", "Describe shapes in words: their picture stands beside the first."],
  "compare-seen": ["From the history", "What was traced before in this visit, beside the first without a run."],
  "compare-file": ["From a file", "A saved trace, or one of another program, beside the first without a run."],
  "compare-target": ["Another output", "How the model reads the source for this output, beside what it writes itself."],
  "compare-without": ["Heads taken away", "The second runs without these heads, or without the one in view."],
  "compare-model": [
    "Another model",
    "Reads the same beside the first; between models that cut words otherwise, words are compared.",
  ],
  "compare-heads": ["Two heads", "This very map beside itself: choose another head of it in the list above the maps."],
  "compare-stop": ["Stop comparing", "What was there first stands alone again."],
  past: ["History", "What was traced in this visit: each map leads back to it, as it was looked at last."],
  file: ["Open a file", "A trace that was saved as NPZ, here or in Python, or a visit that was saved here."],
  "save-past": ["Save all", "All traces of this visit as one file, which opens here again."],
  "clear-past": ["Clear", "Forgets what was traced in this visit, here and on the server."],
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
  "JSON-of-all-maps": ["JSON of all maps", "Every head’s map as numbers, in one file."],
  "SVG-of-both": ["SVG of both", "The difference of both maps as a picture, and what changed in words."],
  "JSON-of-both": ["JSON of both", "Both maps and their difference as numbers, and what stands beside what."],
  "CSV-of-both": ["CSV of both", "A table with a line a cell: both weights and their difference."],
  "CSV-of-all-heads": ["CSV of all heads", "A table with a line a head: how spread its weight is, where it rests."],
  figure: ["Figure", "What is shown as a figure for a paper, in the width of its column."],
  "figure-what": ["What", "The map that is shown, or a figure that compares heads."],
  "figure-width": ["Width", "How wide the figure is on paper: a column, or the page."],
  "figure-file": ["File", "In which form the figure is saved."],
  moving: ["Moving picture", "What is shown as a film for a slide: step by step, or head by head."],
  "moving-what": ["What moves", "From picture to picture: the next step of the output, or the next head."],
  "moving-size": ["Pixels", "How large the film is: the larger, the longer it takes and the more it weighs."],
  "moving-file": ["File", "GIF plays anywhere; WebM and MP4 are smaller; SVG stays sharp at any size."],
  "moving-seconds": ["Seconds a frame", "How long each picture stays."],
  "stop-progress": ["Stop", "Ends the run; what was made until then stays."],
  "stop-progress-output": ["Stop", "Ends the run; what was made until then stays."],
  "stop-writing": ["Stop", "Ends the run; what was made until then stays."],
  words: ["Words in time", "When each word was said: as subtitles that run, as files and as a table."],
  "subtitle-style": ["Style", "How long lines are, how long each subtitle stays, and whose conventions these are."],
  "subtitle-sound": ["Sound with subtitles", "Plays the whole sound; its subtitles run below, a word at a time."],
  finding: ["Inside the object", "How much of each word’s weight lies inside of the object that it names."],
  notebook: ["In a notebook", "These few lines of Python give the same numbers."],
  "two-ways": [
    "Read or draw",
    "The two ways between words and pictures: a caption of a picture, or a picture from words.",
  ],
  target: ["Another one", "A text of your own, which takes the place of what was asked or written."],

  "ask-costs": [
    "Measure each head",
    "Takes each head away in turn and counts how much less likely the output becomes.",
  ],
  "evidence-how": ["How a head is taken away", "What stands in its place: nothing, its mean, or evenly spread weight."],
  "ask-fewest": ["Smallest set", "Takes heads away one after the other, as long as the output stays the same."],
  "ask-without": ["Write without them", "The model writes once more without the chosen heads."],
  "ask-align": [
    "Link the words",
    "Finds which words of both sentences say the same, without attention, and which head agrees.",
  ],
  "evidence-method": ["Another way of looking", "A way to rank the words of the source that does not read the map."],
  "ask-agree": ["Compare", "Ranks the words of the source in another way, and says which heads rank them alike."],
  "ask-deletion": [
    "Take words away",
    "Takes the source away word by word, in several orders, and draws how the output suffers.",
  ],
  "evidence-contrast": ["Why this token?", "Which words of the source speak for one token rather than another."],
  "evidence-why": ["Why", "The token that was written."],
  "evidence-rather": ["Rather than", "A token that could have stood there."],
  "ask-why": ["Find the words", "Leaves out each word in turn and sees which of the two tokens loses more."],
  "evidence-exchange": [
    "Exchange a word",
    "The model reads another word; each head’s old output is put back to see what it restores.",
  ],
  "evidence-word": ["Word", "The word of the source that is exchanged."],
  "evidence-by": ["In its place", "What the model reads in its place."],
  "ask-patch": ["Put outputs back", "Puts the old output of each head back in turn, and measures what returns."],
  "evidence-edit": ["Move a weight", "All of a row’s weight is put on another word: what would the model write?"],
  "evidence-row": ["Where it predicts", "The row of the map: the token that is about to be written."],
  "evidence-column": ["Let it look at", "The word of the source that takes all of the weight."],
  "evidence-who": ["Whose weight", "Of the chosen head alone, or of all heads of its layer."],
  "ask-edit": ["Move the weight", "Runs the model with the changed row, and shows the next token."],
  "evidence-sentences": [
    "Sentences of your own",
    "What the heads are measured on, if not the sentences that come with the package.",
  ],
  "evidence-profiled": ["One a line", "Each line is read as one sentence."],
  "ask-profiles": ["Read the texts", "Measures what each head does over many texts, and names those with a habit."],
  "evidence-measure": ["Numbers of all heads", "Which number the table of heads shows."],
  "stop-measuring": ["Stop", "Ends the measurement; nothing else changes."],
  links: ["Links", "The linked words as a file, in a form that other programs read."],
  profiles: ["Numbers of heads", "What was measured of every head, as a file."],

  "story-shown": ["Story", "The talk that is shown: one that ships, one that was opened, or your own."],
  "story-file": ["A story", "A file that was saved here before."],
  "story-json": ["Save", "The story as a small file, to be opened here again or shared."],
  "story-html": ["Page", "The whole talk as one page, which needs neither Python nor a network."],
  "story-title": ["Title", "What the story is called in the list and on its page."],
  caption: ["Caption", "What stands over a slide; numbers in braces are computed from its map."],
  Up: ["Up", "This slide comes earlier."],
  Down: ["Down", "This slide comes later."],
  delete: ["Delete", "Takes this slide out of your story."],

  section: ["Lessons", "Each shows one part of attention, with numbers that you change."],
  "section-back": ["Back", "The lesson before."],
  "section-next": ["Next", "The next lesson."],
  "steps-queries": ["Queries", "What asks: words get random vectors; or type vectors, parted by semicolons."],
  "steps-keys": ["Keys and values", "What is read: words get random vectors; or type vectors, parted by semicolons."],
  "steps-heads": ["Heads", "Into how many parts queries, keys and values are cut; each has a map of its own."],
  "steps-scale": [
    "÷ √d_k",
    "Whether scores are divided by the root of the width, which keeps softmax from one winner.",
  ],
  "steps-padding": ["Last key is padding", "The last key stands for nothing, and a mask keeps weight away from it."],
  "steps-causal": ["Causal", "A query reads no key behind its own place, as in a decoder."],
  steps_reset: ["Reset the numbers", "Takes back what you changed in the matrices."],
  shapes_heads: ["Heads", "Into how many parts the width is cut."],
  shapes_queries: ["Queries", "How many vectors ask: the rows of the map."],
  shapes_keys: ["Keys", "How many vectors are read: the columns of the map."],
  shapes_width: ["Width of the queries", "How many numbers each vector that asks has."],
  shapes_context: ["Width of the context", "How many numbers each vector that is read has: it may be another width."],
  d_k: ["d_k", "How many numbers a query and a key have: the wider, the larger their products."],
  additive_d_k: ["d_k", "How many numbers a query and a key have: the wider, the larger their products."],
  temperature: ["Temperature", "Scores are divided by it: below 1 one key wins, above 1 weight spreads."],
  mask: ["Mask", "Which kind of mask is looked at: over padding, or over what comes later."],
  "masked-text": ["English sentence", "What the model reads; press Enter."],
  padding: ["Padding positions", "How many empty places stand behind the sentence."],
  "padding-mask": ["Mask", "Whether the mask is there: without it weight goes to empty places."],
  "padding-head": ["Layer and head", "Whose map is shown."],
  "causal-head": ["Head", "Whose map is shown."],
  "causal-mask": ["Mask", "Whether the mask is there: without it a token reads those that come later."],
  "changed-token": ["Changed token", "Which token becomes another one, to see which rows notice."],
  self_vs_cross_text: ["Sentence", "What the model translates: one of these, or type your own."],
  self_vs_cross_layer: ["Encoder layer", "From which layer self-attention is shown."],
  self_vs_cross_head: ["Head", "One head, or the mean over all of them."],
  self_vs_cross_word: ["Word", "The word whose row is shown in both maps."],
  two_sources_patches: ["Image patches", "How many keys the picture brings."],
  two_sources_words: ["Words", "How many keys the text brings."],
  two_sources_loudness: ["Loudness", "How long the patches’ vectors are: louder keys take more weight."],
  two_sources_by: ["Curve over", "What the curve changes: how many patches there are, or how loud they are."],
  limit: ["Attend to", "What a query may read: all, its neighbours, or its few best keys."],
  "limited-text": ["English sentence", "What the model reads; press Enter."],
  "limited-head": ["Layer and head", "Whose map is shown."],
  "learning-view": [
    "Show",
    "One training, one beside a model without cross-attention, or both orders of the two attentions.",
  ],
  "learning-task": ["Task", "What the small model is to learn: to write its source backwards, say."],
  "learning-growing": ["Task", "What both small models are to learn, on longer and longer sources."],
  "learning-order": ["Cross-attention", "Whether it comes after self-attention in a layer, as usual, or before it."],
  "learning-layers": ["Layers", "How many layers the small model has: a map each."],
  "learning-seed": ["Seed", "Which random numbers it begins with."],
  "learning-start": ["Start", "The training begins, or goes on; its map forms in view."],
  "learning-stop": ["Stop", "The training rests, and its updates can be gone through."],
  "learning-reset": ["Reset", "Forgets what was learned."],
  "learning-replay": ["Replay", "Goes through the updates that were made."],
  measure: ["Measure", "Runs the layer on this machine, and compares with the count."],
  "cost-row": ["Cost", "Which part of the cost is shown."],
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
  const own = target.closest(COMPONENTS)?.contains(target) ? target.closest("[data-help]") : null;
  return own instanceof HTMLElement || own instanceof SVGElement
    ? { element: own, text: own.dataset.help ?? "" }
    : null;
}

// Components that leave it to the page to show their help; an explorer shows its own.
const COMPONENTS = ".xv-easel, .xv-stepper, .xv-links";

/**
 * The name of a control: its key without what makes that the key of one slide, trace or record.
 *
 * @param {Element} element
 */
function keyOf(element) {
  const name = [...element.classList].find((each) => each.startsWith("st-key-")) ?? "";
  const key = name.slice("st-key-".length);
  if (key.startsWith("FormSubmitter-")) return "ask";
  return WIDGETS[key] ? key : key.replace(/^(links|profiles|notebook)-.*$/, "$1").replace(/(-{1,2}\d+)+$/, "");
}

/** The controls that can be seen now, by name. */
export function widgetsSeen() {
  return new Set(seen('[class*="st-key-"]').map(keyOf));
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
