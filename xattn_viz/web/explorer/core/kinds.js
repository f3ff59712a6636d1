/**
 * How each kind of attention is spoken of: by the switch, in the readout, over the sentences.
 *
 * @typedef {object} Words
 * @property {string} face of the switch
 * @property {string} name
 * @property {string} columns the text that is read
 * @property {string} rows the text whose rows read
 * @property {string} columnsCaption what stands before it, where it isn't plain
 * @property {string} rowsCaption
 * @property {string} predicting what a row does, before its label
 * @property {string} reading the same where rows are named for the token read
 * @property {string} put
 * @property {string} on
 * @property {string} unattended what no token attends to
 * @property {string} one what has a region of the picture
 * @property {string} [who] who puts, where that is no head: a method that goes through the whole model
 * @property {string} [wasRead] what happened to a column, where it was not just read
 * @property {string} [share] what a row's numbers are, where they are no weights
 *
 * @typedef {"cross" | "encoder" | "decoder" | "text-to-image" | "concepts"} Attention
 * @typedef {"value-norms" | "value-zeroing" | "input-x-gradient" | "integrated-gradients" | "occlusion" | "rollout" | "alti"} Method
 * @typedef {Attention | Method} Kind
 */

/** @type {Record<Attention, Words>} */
const ATTENTION = {
  cross: {
    face: "Cross",
    name: "Cross-attention",
    columns: "Source sentence",
    rows: "Output sentence",
    columnsCaption: "",
    rowsCaption: "",
    predicting: "predicting",
    reading: "after reading",
    put: "put",
    on: "on",
    unattended: "source word",
    one: "word",
  },
  encoder: {
    face: "Encoder",
    name: "Encoder self-attention",
    columns: "Source, as it is read",
    rows: "Source, as it is represented",
    columnsCaption: "Reads from",
    rowsCaption: "Represents",
    predicting: "building the representation of",
    reading: "building the representation of",
    put: "read",
    on: "of",
    unattended: "source word",
    one: "word",
  },
  decoder: {
    face: "Decoder",
    name: "Decoder self-attention",
    columns: "Output so far, as it is read",
    rows: "Output, as it is predicted",
    columnsCaption: "Reads from",
    rowsCaption: "Predicts",
    predicting: "predicting",
    reading: "after reading",
    put: "put",
    on: "on its own earlier",
    unattended: "output word",
    one: "word",
  },
  "text-to-image": {
    face: "Text → image",
    name: "Text-to-image attention",
    columns: "Picture",
    rows: "Text",
    columnsCaption: "",
    rowsCaption: "",
    predicting: "reading for",
    reading: "reading for",
    put: "put",
    on: "on",
    unattended: "patch",
    one: "word",
  },
  concepts: {
    face: "Concepts",
    name: "Attention to concepts",
    columns: "Concepts",
    rows: "Picture",
    columnsCaption: "",
    rowsCaption: "",
    predicting: "drawing",
    reading: "drawing",
    put: "would put",
    on: "on",
    unattended: "concept",
    one: "concept",
    wasRead: "would be read",
  },
};

/**
 * Other ways of looking at the rows and columns of cross-attention (`core/view.py` has the same names).
 *
 * @param {string} name
 * @param {string} face
 * @param {string} [who] where it goes through the whole model
 * @returns {Words}
 */
function method(name, face, who) {
  return { ...ATTENTION.cross, name, face, ...(who ? { who } : {}), on: "of its total on", share: SHARES };
}

const VALUES = "No attention weights of a model: the values of a file.";
const SHARES = "No attention weights: each row’s shares of what the method found.";

/** @type {Record<Kind, Words>} */
export const KINDS = {
  ...ATTENTION,
  "value-norms": method("Value-weighted norms", "Norms"),
  "value-zeroing": method("Value zeroing", "Zeroing"),
  "input-x-gradient": method("Gradient × input", "Gradient", "gradient × input"),
  "integrated-gradients": method("Integrated gradients", "Integrated", "integrated gradients"),
  occlusion: method("Occlusion", "Occlusion", "occlusion"),
  rollout: method("Attention rollout", "Rollout", "attention rollout"),
  alti: method("ALTI", "ALTI", "ALTI"),
};

/** What the picture reads of the prompt, where both share one softmax. */
const JOINT = { face: "Image → text", name: "Image-to-text attention" };

/** @type {Record<string, Partial<Words>>} */
const OVER_A_PICTURE = {
  cross: { columns: "Picture", rows: "Caption", unattended: "patch" },
  drawn: {
    columns: "Prompt",
    rows: "Picture",
    predicting: "drawing",
    unattended: "prompt word",
  },
  encoder: {
    columns: "Picture, as it is read",
    rows: "Picture, as it is represented",
    columnsCaption: "",
    rowsCaption: "",
    unattended: "patch",
  },
};

/**
 * The same in a Perceiver, where latents stand between what is read and what is asked.
 *
 * @type {Record<string, Partial<Words>>}
 */
const BY_LATENTS = {
  cross: {
    face: "Encode",
    name: "Encoding cross-attention",
    columns: "Picture",
    rows: "Latents",
    rowsCaption: "Latents",
    predicting: "filling",
    unattended: "patch",
    one: "latent",
  },
  encoder: {
    face: "Process",
    name: "Latent self-attention",
    columns: "Latents, as they are read",
    rows: "Latents, as they are updated",
    columnsCaption: "Reads from",
    rowsCaption: "Updates",
    predicting: "updating",
    unattended: "latent",
    one: "latent",
  },
  decoder: {
    face: "Decode",
    name: "Decoding cross-attention",
    columns: "Latents",
    rows: "What is asked",
    columnsCaption: "Latents",
    rowsCaption: "Answers",
    predicting: "answering for",
    on: "on",
    unattended: "latent",
    one: "latent",
  },
};

/**
 * How a sheet's kind of attention is spoken of, where its rows or columns are patches of a picture or latents too.
 *
 * @param {import("./payload.js").Sheet} sheet
 * @returns {Words}
 */
export function wordsOf({ kind, keys, queries, contrast, title, altered }) {
  const words = KINDS[kind];
  if (title)
    return {
      ...words,
      name: title,
      face: title,
      predicting: "in the row of",
      reading: "in the row of",
      who: title[0].toLowerCase() + title.slice(1),
      on: "on",
      share: VALUES,
    };
  if (words.share) {
    const told = contrast ? ` (${contrast})` : "";
    return { ...words, name: words.name + told, ...(words.who ? { who: words.who + told } : {}) };
  }
  if (keys.kind === "latent" || queries.kind === "latent") return { ...KINDS[kind], ...BY_LATENTS[kind] };
  if (!keys.grid && !queries.grid) return KINDS[kind];
  const joint = kind === "cross" && altered.includes("joint") ? JOINT : {};
  const over = kind === "concepts" ? {} : OVER_A_PICTURE[keys.grid ? kind : "drawn"];
  return { ...KINDS[kind], ...over, ...joint };
}

/**
 * What the rows and the columns of a map are, as its axes say it: "word being written", "source word being read". Python
 * sent both (`core/view.py` has them); between sentences they are of sentences.
 *
 * @param {import("./payload.js").Sheet} sheet
 * @param {{rows: string, units: string}} choice
 * @returns {[string, string]}
 */
export function axisTitles({ titles, read }, { rows, units }) {
  const [predicted, input, column] = titles.map((title) =>
    units === "sentences" ? title.replace("word", "sentence") : title,
  );
  return [rows === "input" && read ? input : predicted, column];
}

/**
 * A map's title; the kind is said where there are several, the output where there are two.
 *
 * @param {import("./payload.js").Trace} trace
 * @param {import("./scene.js").Panel} panel
 * @param {string} view what the map is called
 * @param {boolean} [whole] whether the kind is said of a trace of one kind too
 */
export function titled(trace, panel, view, whole = trace.sheets.length > 1) {
  const { title } = panel.sheet;
  const parts = title || [whole ? `${wordsOf(panel.sheet).name}, ` : "", view].join("");
  return (panel.name ? `${panel.name}: ` : "") + parts[0].toUpperCase() + parts.slice(1);
}

/**
 * Where a cell of one map lies in another: the rows of cross-attention are those of the decoder, its columns are what
 * the encoder's rows have become. -1 where the other has no such row or column.
 *
 * @param {import("./payload.js").Sheet} from
 * @param {import("./payload.js").Sheet} to
 * @param {{row: number, column: number}} cell
 */
export function cellIn(from, to, { row, column }) {
  if (from.kind === to.kind) return { row, column };
  if (from.queries === to.keys && from.keys === to.queries) return { row: column, column: row }; // both directions
  if (from.queries === to.queries) return { row, column: -1 };
  if (from.keys === to.queries) return { row: column, column: -1 };
  if (from.queries === to.keys) return { row: -1, column: row };
  return { row: -1, column: -1 };
}
