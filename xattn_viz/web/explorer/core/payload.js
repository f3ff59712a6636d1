import { openPictures } from "../picture/pictures.js";
import { openSound, seconds } from "../sound/sound.js";
import { reachBoth } from "../sound/time.js";

/**
 * The bytes that Python packed (explorer/__init__.py says how), read without copying what is large.
 *
 * @typedef {object} Axis
 * @property {string} kind
 * @property {string[]} labels
 * @property {number[] | null} words the word of each position
 * @property {number[] | null} sentences the sentence of each position, where a text of the trace has several
 * @property {boolean[]} special
 * @property {string[] | null} gaps the text before each token
 * @property {string} rest the text after the last token
 * @property {Record<string, string>} blanks the tokens that are only blanks, as they stand in the text
 * @property {[number, number] | null} grid rows and columns of the patches of a picture, which are what is not special
 * @property {[string, number, number][] | null} parts name, start and end of each of several sequences; behind the patches
 *   of a first one stand the others
 * @property {number[] | null} edges of frames of sound, one more than there are, in seconds; null for text
 *
 * @typedef {object} View
 * @property {string} name "2.1" is layer 2, head 1, both from 1; "2.mean", "mean", "max"
 * @property {number | null} layer the model's own number, from 0
 * @property {number | null} head from 0
 * @property {boolean} [whole] whether it is no head, but a way of looking at the whole model
 * @property {string | null} reduce "mean" or "max"
 * @property {number} scale the largest weight
 * @property {number | null} inside the largest weight on a patch, where keys beside the picture may hold a larger one
 * @property {number | null} at
 * @property {number | null} fine
 * @property {number | null} tile
 * @property {number | null} padding where each row's share of weight on padding is, for frames of sound
 * @property {[number, number][] | null} sentences where the map between sentences is and its largest weight: with the
 *   rows predicted, and with the rows read
 *
 * @typedef {object} Step
 * @property {string} token
 * @property {number} id
 * @property {number} p
 * @property {[string, number, number][]} alternatives token, probability, id
 * @property {boolean} forced
 *
 * @typedef {object} Beam an output that the search kept
 * @property {string[]} tokens
 * @property {(number | string)[]} ids what tells its tokens from those of others
 * @property {number} log_prob
 *
 * @typedef {object} Exact
 * @property {Float32Array} weights [layer, head, query, key]
 * @property {Float32Array} queries [layer, head, query, d_k]
 * @property {Float32Array} keys [layer, head, key, d_k]
 * @property {number} d_k
 * @property {number} scale
 *
 * @typedef {object} Grid a number for each head
 * @property {string} name
 * @property {string} title for people
 * @property {string} unit "share" is of 1
 * @property {string} method how it was made
 * @property {(number | null)[][]} values [layer, head], null where a head has no number
 * @property {(number | null)[][]} [low] the ends of an interval around each
 * @property {(number | null)[][]} [high]
 *
 * @typedef {object} Sheet the maps of one kind of attention
 * @property {string} id
 * @property {import("./kinds.js").Kind} kind
 * @property {string} [contrast] which token was asked about rather than which
 * @property {string} [title] what the maps are called, where they are no attention of a model
 * @property {number[]} layers
 * @property {number} heads
 * @property {string[]} altered
 * @property {[string, string, string]} titles what a row is, what it is where rows are named for the token read, and what a
 *   column is
 * @property {Axis} keys
 * @property {Axis} queries
 * @property {Axis | null} read
 * @property {View[]} views
 * @property {number} [step] the denoising step that these are of, from 0
 * @property {[number, number] | null} tiles rows and columns of a pooled tile
 * @property {Step[]} steps of its rows, where they were decoded
 * @property {Exact | null} exact
 * @property {Grid[]} grids what is known of its heads
 * @property {Record<string, [string, boolean]>} names what a head is called, by the name of its view, and whether that was
 *   measured over more than this map
 * @property {Map<string, Uint8Array>} sent the maps that came in full, by the name of their view
 * @property {Map<string, Uint8Array>} resting what came of each row's share of weight on padding, in the same way
 * @property {(view: View) => Uint8Array | null} weights the map in full, [query, key], or null where it was not sent
 * @property {(view: View) => Uint8Array | null} rests what each weight is above or below its own byte, from -½ to ½
 * @property {(view: View) => {cells: Uint8Array, rows: number, columns: number}} tile the map as the overview draws it
 * @property {(view: View, reading: number, count: number) => Uint8Array | null} sums the map between sentences
 * @property {(view: View) => Uint8Array | null} padding each row's share of weight on padding, 0 … 255
 * @property {Record<string, Record<string, Pair[]>>} [pairs] of the rows of the first trace and its own, by what names them
 *   and by units, where it is that of a second
 * @property {Record<string, Pair[]>} [columns] pairs of columns by units, where those differ
 *
 * @typedef {[number | null, number | null]} Pair a row of one output and its counterpart in the other
 *
 * @typedef {object} Beside another trace: of the same source or another, by the same model or another
 * @property {string} id
 * @property {[string, string]} names of this one and of the other
 * @property {{pair: string, model: string}} about what a file of a map says of the other
 * @property {Sheet[]} sheets of the kinds that both hold
 * @property {string[]} [units] that both have, where the models cut texts otherwise
 * @property {import("../sound/sound.js").Sound | null} sound its own, or that which both heard
 * @property {boolean} hears whether its sound is another one
 * @property {import("../picture/pictures.js").Pixels | null} picture as in a trace, of both where they are of one picture
 * @property {import("../picture/pictures.js").Pixels[]} drawn
 * @property {[string, number, number][]} modules
 * @property {(step: number) => Sheet | null} noise
 *
 * @typedef {object} Links where words that an alignment links lie on maps between source and output
 * @property {Record<string, [number, number][]>} cells row and column between pieces, by what names the rows
 * @property {string} said what is said of them
 *
 * @typedef {object} Surprise something worth seeing in this very trace
 * @property {string} title in a few words
 * @property {string} says in a sentence
 * @property {string | null} head the name of a view of cross-attention; null for the one that is looked at
 * @property {number | null} row the position of a query
 * @property {number | null} column the position of a key
 *
 * @typedef {object} Trace
 * @property {string} id
 * @property {{stem: string, pair: string, model: string}} about what a file of a map says of it
 * @property {[string, string]} languages in English, of what is read and what is written; "" where it is not known
 * @property {Surprise[]} surprises
 * @property {{parts: string[], state: Partial<import("./state.js").State>} | null} small what is shown besides sentences and
 *   map where it is one of several small explorers on a page, and what it begins with
 * @property {string} [unlinked] why no link can show this trace
 * @property {boolean} [final] whether no other output can be asked for
 * @property {Sheet[]} sheets
 * @property {Step[]} steps
 * @property {boolean} growing whether the output is still being written
 * @property {Beside | null} beside
 * @property {{shown: number, outputs: Beam[]}} [beams] the outputs of a search, the best first, where there are several
 * @property {Links | null} links
 * @property {Record<string, string | number>} select
 * @property {import("../sound/sound.js").Sound | null} sound
 * @property {import("../picture/pictures.js").Pixels | null} picture that the patches lie in
 * @property {import("../picture/pictures.js").Pixels[]} drawn the picture after each denoising step
 * @property {[string, number, number][]} modules where each layer is in the model, and the rows and columns of its own grid
 * @property {(step: number, kind?: string) => Sheet | null} noise the maps of one denoising step
 */

/**
 * @param {Uint8Array} bytes
 * @param {Trace | null} [before] what was unpacked last: layers of the same trace that came with it are kept
 * @returns {Trace}
 */
export function unpack(bytes, before = null) {
  const length = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const data = bytes.subarray(4 + length);
  const axes = header.axes.map(openAxis);
  const sheetsBefore = before ? [...before.sheets, ...(before.beside?.sheets ?? [])] : [];
  const open = (/** @type {any} */ packed, /** @type {string} */ id, /** @type {Step[]} */ steps) => {
    const own = `${id} ${packed.kind} ${packed.digest ?? ""}`.trim();
    const kept = sheetsBefore.find((sheet) => sheet.id === own);
    return openSheet({ ...packed, id: own }, axes, data, steps, kept);
  };
  const steps = (/** @type {any} */ whose) =>
    openPictures(whose, data, (packed) => openSheet(packed, axes, data, whose.steps, undefined));
  const sound = header.sound ? openSound(header.sound, data) : null;
  const pictures = steps(header);
  return {
    ...header,
    growing: Boolean(header.growing),
    links: header.links ?? null,
    languages: header.languages ?? ["", ""],
    surprises: header.surprises ?? [],
    small: header.small ?? null,
    sheets: header.sheets.map((/** @type {any} */ packed) => open(packed, header.id, header.steps)),
    ...besideOf(header.beside),
    ...pictures,
  };

  /** @param {any} packed */
  function besideOf(packed) {
    if (!packed) return { beside: null, sound };
    const sheets = packed.sheets.map((/** @type {any} */ each) => open(each, packed.id, packed.steps));
    const own = packed.sound ? openSound(packed.sound, data) : null;
    const drawn = packed.picture ? steps(packed) : pictures;
    const [ours, theirs] = sound && own ? reachBoth(sound, own) : [sound, own ?? sound];
    return { beside: { ...packed, ...drawn, sheets, sound: theirs, hears: own !== null }, sound: ours };
  }
}

/**
 * A view in words, as it stands inside a sentence.
 *
 * @param {View} view
 */
export function viewTitle(view) {
  if (view.whole) return "whole model";
  if (view.layer === null) return view.reduce === "mean" ? "mean over all heads" : "maximum over all heads";
  if (view.head === null) return `layer ${view.layer + 1}, mean over heads`;
  return `layer ${view.layer + 1}, head ${view.head + 1}`;
}

/**
 * Axes and maps as they are read from the packed bytes, where they lie.
 */

/**
 * Frames of sound are named by their seconds.
 *
 * @param {Partial<Axis>} axis
 * @returns {Axis}
 */
export function openAxis(axis) {
  const empty = {
    words: null,
    sentences: null,
    gaps: null,
    rest: "",
    blanks: {},
    edges: null,
    grid: null,
    parts: null,
  };
  if (!axis.edges) return /** @type {Axis} */ ({ ...empty, ...axis });
  const { edges } = axis;
  const labels = edges.slice(1).map((end, i) => `${seconds(edges[i])}–${seconds(end)} s`);
  return /** @type {Axis} */ ({ ...empty, ...axis, labels, special: labels.map(() => false) });
}

/**
 * @param {any} packed
 * @param {Axis[]} axes
 * @param {Uint8Array} data
 * @param {Step[]} steps
 * @param {Sheet | undefined} before
 * @returns {Sheet}
 */
export function openSheet(packed, axes, data, steps, before) {
  const queries = axes[packed.queries];
  const keys = axes[packed.keys];
  const rows = queries.labels.length;
  const columns = keys.labels.length;
  /** @type {View[]} */
  const views = packed.views.map((/** @type {Partial<View>} */ view) => {
    const places = { at: null, fine: null, tile: null, sentences: null, padding: null };
    const none = { layer: null, head: null, reduce: null, inside: null, ...places };
    const whole = /** @type {View} */ ({ ...none, ...view });
    const { scale, inside, sentences } = whole;
    return {
      ...whole,
      name: viewName(whole),
      // Numbers of 32 bits, which came in the fewest digits that say which.
      scale: Math.fround(scale),
      inside: inside === null ? null : Math.fround(inside),
      sentences: sentences?.map(([at, largest]) => [at, Math.fround(largest)]) ?? null,
    };
  });
  /** @type {Map<string, Uint8Array>} */
  const sent = new Map(before?.sent ?? []);
  /** @type {Map<string, Uint8Array>} */
  const resting = new Map(before?.resting ?? []);
  /** @type {Map<string, Uint8Array>} */
  const rests = new Map();
  for (const view of views) {
    if (view.at !== null) sent.set(view.name, data.subarray(view.at, view.at + rows * columns));
    if (view.fine !== null) rests.set(view.name, data.subarray(view.fine, view.fine + rows * columns));
    if (view.padding !== null) resting.set(view.name, data.subarray(view.padding, view.padding + rows));
  }
  /**
   * A map in full. Where only heads were sent, their means and their maximum are made when they are first looked at.
   *
   * @param {View} view
   */
  const weights = (view) => {
    const found = sent.get(view.name);
    if (found || view.head !== null || packed.tiles) return found ?? null;
    const heads = views.filter(({ head, layer }) => head !== null && (view.layer === null || layer === view.layer));
    const made = reduced(
      heads.map((head) => ({ cells: /** @type {Uint8Array} */ (sent.get(head.name)), scale: head.scale })),
      view,
    );
    sent.set(view.name, made);
    return made;
  };
  return {
    ...packed,
    keys,
    queries,
    read: packed.read === null ? null : axes[packed.read],
    views,
    steps: packed.kind === "encoder" ? [] : steps,
    grids: packed.grids ?? [],
    names: packed.names ?? {},
    exact: packed.exact && exactOf(packed, data, rows, columns),
    sent,
    resting,
    padding: (view) => resting.get(view.name) ?? null,
    weights,
    rests: (view) => rests.get(view.name) ?? null,
    tile: (view) => {
      const whole = weights(view);
      if (view.tile === null && whole) return { cells: whole, rows, columns };
      const [tileRows, tileColumns] = packed.tiles;
      const at = /** @type {number} */ (view.tile);
      const cells = data.subarray(at, at + tileRows * tileColumns);
      return { cells, rows: tileRows, columns: tileColumns };
    },
    sums: (view, reading, count) => {
      const at = view.sentences?.[reading]?.[0];
      return at === undefined ? null : data.subarray(at, at + count);
    },
  };
}

/**
 * @param {any} packed
 * @param {Uint8Array} data
 * @param {number} rows
 * @param {number} columns
 * @returns {Exact}
 */
function exactOf({ exact, layers, heads }, data, rows, columns) {
  /** @type {(at: number, count: number) => Float32Array} */
  const floats = (at, count) => new Float32Array(data.slice(at, at + 4 * count * layers.length * heads).buffer);
  return {
    weights: floats(exact.weights, rows * columns),
    queries: floats(exact.queries, rows * exact.d_k),
    keys: floats(exact.keys, columns * exact.d_k),
    d_k: exact.d_k,
    scale: exact.scale,
  };
}

/**
 * @param {{cells: Uint8Array, scale: number}[]} heads
 * @param {View} view the mean over them or their maximum
 */
function reduced(heads, { reduce, scale }) {
  const made = new Float32Array(heads[0].cells.length);
  for (const { cells, scale: own } of heads) {
    if (reduce === "max") keepLarger(made, cells, own / scale);
    else addTo(made, cells, own / scale / heads.length);
  }
  return new Uint8Array(new Uint8ClampedArray(made).buffer); // which rounds
}

// Two short loops, which a browser compiles early: a large trace has millions of cells.

/**
 * @param {Float32Array} made
 * @param {Uint8Array} cells
 * @param {number} unit
 */
function addTo(made, cells, unit) {
  for (let i = 0; i < made.length; i++) made[i] += cells[i] * unit;
}

/**
 * @param {Float32Array} made
 * @param {Uint8Array} cells
 * @param {number} unit
 */
function keepLarger(made, cells, unit) {
  for (let i = 0; i < made.length; i++) made[i] = Math.max(made[i], cells[i] * unit);
}

/** @param {View} view */
function viewName(view) {
  if (view.layer === null) return String(view.reduce);
  return `${view.layer + 1}.${view.head === null ? view.reduce : view.head + 1}`;
}
