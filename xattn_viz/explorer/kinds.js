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
 * @property {string} unread what nobody read
 * @property {string} row what a row is, on a saved picture
 * @property {string} rowRead the same where rows are named for the token read
 * @property {string} column
 */

/** @type {Record<"cross" | "encoder" | "decoder", Words>} */
export const KINDS = {
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
    unread: "source word",
    row: "token predicted",
    rowRead: "token read",
    column: "source",
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
    unread: "source word",
    row: "token represented",
    rowRead: "token represented",
    column: "source token read",
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
    unread: "output word",
    row: "token predicted",
    rowRead: "token read",
    column: "output token read",
  },
};

/** @type {Record<string, Partial<Words>>} */
const OVER_A_PICTURE = {
  cross: { columns: "Picture", rows: "Caption", unread: "patch", column: "patch" },
  drawn: {
    columns: "Prompt",
    rows: "Picture",
    predicting: "drawing",
    unread: "prompt word",
    row: "patch drawn",
    column: "prompt token",
  },
  encoder: {
    columns: "Picture, as it is read",
    rows: "Picture, as it is represented",
    columnsCaption: "",
    rowsCaption: "",
    unread: "patch",
    row: "patch represented",
    column: "patch read",
  },
};

/**
 * How a sheet's kind of attention is spoken of, where its rows or columns are patches of a picture too.
 *
 * @param {import("./payload.js").Sheet} sheet
 * @returns {Words}
 */
export function wordsOf({ kind, keys, queries }) {
  if (!keys.grid && !queries.grid) return KINDS[kind];
  return { ...KINDS[kind], ...OVER_A_PICTURE[keys.grid ? kind : "drawn"] };
}

/**
 * A map's title; the kind is said where there are several, the output where there are two.
 *
 * @param {import("./payload.js").Trace} trace
 * @param {import("./scene.js").Panel} panel
 * @param {string} view what the map is called
 */
export function titled(trace, panel, view) {
  const parts = [trace.sheets.length > 1 ? `${KINDS[panel.sheet.kind].name}, ` : "", view].join("");
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
export function carried(from, to, { row, column }) {
  if (from.kind === to.kind) return { row, column };
  if (from.queries === to.queries) return { row, column: -1 };
  if (from.keys === to.queries) return { row: column, column: -1 };
  if (from.queries === to.keys) return { row: -1, column: row };
  return { row: -1, column: -1 };
}
