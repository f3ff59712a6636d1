/**
 * What the rows and columns of a map stand for: pieces, words or sentences of an axis.
 *
 * @typedef {import("./payload.js").Axis} Axis
 * @typedef {import("./payload.js").Sheet} Sheet
 *
 * @typedef {object} Group what one row or column stands for
 * @property {number} number its place among all groups of the axis, hidden ones included
 * @property {string} label
 * @property {string} text all of its text
 * @property {number[]} positions
 * @property {boolean} special
 * @property {boolean} [differs] whether the other output has something else here
 * @property {boolean} [alone] whether it has no counterpart, so that there is no difference
 */

const LONGEST_BEGINNING = 32;

/**
 * The units that a trace has.
 *
 * @param {import("./payload.js").Trace} trace
 */
export function unitsOf(trace) {
  const axes = trace.sheets.flatMap((sheet) => [sheet.keys, sheet.queries]);
  const { beside } = trace;
  if (beside) axes.push(...beside.sheets.flatMap((sheet) => [sheet.keys, sheet.queries]));
  const units = ["pieces"];
  if (axes.some((axis) => axis.words)) units.push("words");
  if (axes.some((axis) => axis.sentences)) units.push("sentences");
  const common = units.filter((unit) => !beside?.units || beside.units.includes(unit));
  return common.length ? common : units;
}

/**
 * The axis that names the rows.
 *
 * @param {Sheet} sheet
 * @param {{rows: string}} choice
 */
export function rowAxis(sheet, choice) {
  return choice.rows === "input" && sheet.read ? sheet.read : sheet.queries;
}

/**
 * @param {Axis} axis
 * @param {string} units
 * @returns {Group[]}
 */
export function groups(axis, units) {
  /** @type {Group[]} */
  const found = [];
  const unitOf = units === "words" ? axis.words : units === "sentences" ? axis.sentences : null;
  for (let position = 0; position < axis.labels.length; position++) {
    const last = found.at(-1);
    if (last && unitOf && unitOf[position] === unitOf[position - 1]) {
      last.label += axis.labels[position];
      last.text += (axis.gaps?.[position] ?? "") + written(axis, position);
      last.positions.push(position);
      last.special &&= axis.special[position];
    } else {
      const label = axis.labels[position];
      const text = written(axis, position);
      found.push({ number: found.length, label, text, positions: [position], special: axis.special[position] });
    }
  }
  if (units === "sentences" && axis.sentences) numbered(found);
  if (units === "words") for (const word of found) word.label = wordName(axis, word);
  return found;
}

/**
 * A token as it stands in its text: a blank is a blank there, and a sign in the map. Among latents a number is enough.
 *
 * @param {Axis} axis
 * @param {number} position
 */
export function written(axis, position) {
  const label = axis.labels[position];
  return axis.blanks[position] ?? (axis.kind === "latent" ? label.replace(/^latent /u, "") : label);
}

/**
 * A word takes the mark of the space before it along, but not into its name.
 *
 * @param {Axis} axis
 * @param {Group} word
 */
function wordName(axis, word) {
  const labels = word.positions.map((position) => axis.labels[position]);
  return labels.filter((label) => !/^␣+$/u.test(label)).join("") || word.label;
}

/**
 * Sentences are named by their number and their first words.
 *
 * @param {Group[]} sentences
 */
function numbered(sentences) {
  let number = 0;
  for (const sentence of sentences) {
    if (sentence.special) continue;
    number++;
    const characters = [...sentence.text.trim()];
    let beginning = characters.slice(0, LONGEST_BEGINNING).join("");
    if (beginning.length < sentence.text.trim().length) {
      const words = beginning.replace(/\s+\S*$/u, "");
      beginning = `${words || beginning} …`;
    }
    sentence.label = `${number}. ${beginning.replace(/[.。।]$/u, "")}`;
  }
}

/**
 * The group of each position, -1 where it is hidden.
 *
 * @param {Group[]} found
 * @param {number} length
 */
export function places(found, length) {
  const place = new Array(length).fill(-1);
  found.forEach((group, index) => {
    for (const position of group.positions) place[position] = index;
  });
  return place;
}
