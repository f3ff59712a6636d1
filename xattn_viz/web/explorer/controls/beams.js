import { isolated, make } from "../core/dom.js";

/**
 * The outputs that a search with several beams kept, as a tree: what they begin with alike stands once.
 *
 * @typedef {import("../core/payload.js").Beam} Beam
 *
 * @typedef {object} Branch tokens that one or several outputs share, and how these go on
 * @property {string[]} tokens
 * @property {number[]} outputs their numbers, from 0; the one where there are no branches
 * @property {Branch[]} branches
 */

const MOST_TOKENS = 12; // of a run of tokens that nothing branches off, so many are shown

/** @param {() => ((output: number) => void) | null} choosing null where no model is behind the page */
export function makeBeams(choosing) {
  const summary = make("summary");
  // A wide tree scrolls sideways, for the keyboard too.
  const tree = make("div", { class: "xv-tree", role: "group", "aria-label": "Outputs of the search", tabindex: 0 });
  const element = make("details", { class: "xv-beams", open: true }, summary, tree);
  let painted = "";
  tree.addEventListener("click", (event) => {
    const pressed = event.target instanceof Element ? event.target.closest("button") : null;
    if (pressed) choosing()?.(Number(pressed.dataset.output));
  });

  /** @param {import("../core/scene.js").Scene} scene */
  function paint({ trace }) {
    const { beams } = trace;
    element.hidden = !beams;
    const look = `${trace.id} ${Boolean(choosing())}`;
    if (!beams || look === painted) return;
    painted = look;
    const { outputs, shown } = beams;
    summary.textContent = `${outputs.length} outputs that the search kept, with their log-probabilities`;
    tree.replaceChildren(list(branched(outputs), (i) => end(outputs[i], i, i === shown, Boolean(choosing()))));
  }
  return { element, paint };
}

/**
 * @param {Branch[]} branches
 * @param {(output: number) => Node} ending what stands behind the last token of an output
 * @returns {HTMLElement}
 */
function list(branches, ending) {
  const items = branches.map(({ tokens, outputs, branches: further }) => {
    const behind = further.length ? list(further, ending) : make("span", {}, ...outputs.map(ending));
    return make("li", {}, ...(tokens.length ? [run(tokens)] : []), behind);
  });
  return make("ul", {}, ...items);
}

/**
 * @param {Beam[]} outputs
 * @param {number[]} numbers which of them to part
 * @param {number} from the place of the first token that they may not share
 * @returns {Branch[]} in the order of the best output of each
 */
export function branched(outputs, numbers = outputs.map((_, i) => i), from = 0) {
  /** @type {Map<number | string | undefined, number[]>} */
  const groups = new Map();
  for (const i of numbers) groups.set(outputs[i].ids[from], [...(groups.get(outputs[i].ids[from]) ?? []), i]);
  return [...groups].map(([id, group]) => {
    const { tokens, ids } = outputs[group[0]];
    if (id === undefined) return { tokens: [], outputs: group, branches: [] };
    let to = from + 1;
    while (to < ids.length && group.every((i) => outputs[i].ids[to] === ids[to])) to++;
    const goesOn = group.some((i) => outputs[i].ids.length > to);
    return { tokens: tokens.slice(from, to), outputs: group, branches: goesOn ? branched(outputs, group, to) : [] };
  });
}

/**
 * The middle of a long run is left out: where outputs part is what the tree is about.
 *
 * @param {string[]} tokens
 */
function run(tokens) {
  const spare = tokens.length - MOST_TOKENS;
  const half = MOST_TOKENS / 2;
  const shown = spare > 0 ? [...tokens.slice(0, half), "…", ...tokens.slice(-half)] : tokens;
  const spaced = shown.flatMap((token, i) => [...(i ? [" "] : []), isolated(token)]);
  return make("span", { class: "xv-run", title: tokens.join(" ") }, ...spaced);
}

/**
 * What an output ends in: its place in the search and its log-probability, a button that shows it.
 *
 * @param {Beam} output
 * @param {number} number
 * @param {boolean} isShown
 * @param {boolean} asks
 */
function end({ log_prob }, number, isShown, asks) {
  const said = `${number + 1}: ${log_prob.toFixed(2).replace("-", "−")}`;
  const help = isShown ? "This output is shown" : "Show this output";
  const kind = isShown ? "xv-beam xv-shown-beam" : "xv-beam";
  if (!asks) return make("span", { class: kind }, said);
  const attributes = { type: "button", class: `xv-button ${kind}`, "data-output": number, "data-help": help };
  return make("button", { ...attributes, "aria-pressed": String(isShown), disabled: isShown }, said);
}
