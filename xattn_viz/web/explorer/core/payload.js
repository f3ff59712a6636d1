import { openPictures } from "../picture/pictures.js";
import { openSound } from "../sound/sound.js";
import { openAxis, openSheet } from "./sheet.js";

/**
 * The bytes that Python packed (payload.py says how), read without copying what is large.
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
 * @typedef {object} Exact
 * @property {Float32Array} weights [layer, head, query, key]
 * @property {Float32Array} queries [layer, head, query, d_k]
 * @property {Float32Array} keys [layer, head, key, d_k]
 * @property {number} d_k
 * @property {number} scale
 *
 * @typedef {object} Sheet the maps of one kind of attention
 * @property {string} id
 * @property {"cross" | "encoder" | "decoder"} kind
 * @property {number[]} layers
 * @property {number} heads
 * @property {string[]} altered
 * @property {Axis} keys
 * @property {Axis} queries
 * @property {Axis | null} read
 * @property {View[]} views
 * @property {number} [step] the denoising step that these are of, from 0
 * @property {[number, number] | null} tiles rows and columns of a pooled tile
 * @property {Step[]} steps of its rows, where they were decoded
 * @property {Exact | null} exact
 * @property {Map<string, Uint8Array>} sent the maps that came in full, by the name of their view
 * @property {Map<string, Uint8Array>} resting what came of each row's share of weight on padding, in the same way
 * @property {(view: View) => Uint8Array | null} weights the map in full, [query, key], or null where it was not sent
 * @property {(view: View) => Uint8Array | null} rests what each weight is above or below its own byte, from -½ to ½
 * @property {(view: View) => {cells: Uint8Array, rows: number, columns: number}} tile the map as the overview draws it
 * @property {(view: View, reading: number, count: number) => Uint8Array | null} sums the map between sentences
 * @property {(view: View) => Uint8Array | null} padding each row's share of weight on padding, 0 … 255
 *
 * @typedef {[number | null, number | null]} Pair a row of one output and its counterpart in the other
 *
 * @typedef {object} Beside another output of the same source
 * @property {string} id
 * @property {[string, string]} names of this output and of the other
 * @property {Sheet} sheet
 * @property {Record<string, Record<string, Pair[]>>} pairs by what names the rows, and by units
 *
 * @typedef {object} Trace
 * @property {string} id
 * @property {Sheet[]} sheets
 * @property {Step[]} steps
 * @property {boolean} growing whether the output is still being written
 * @property {Beside | null} beside
 * @property {Record<string, string | number>} select
 * @property {import("../sound/sound.js").Sound | null} sound
 * @property {import("../picture/pictures.js").Pixels | null} picture that the patches lie in
 * @property {import("../picture/pictures.js").Pixels[]} drawn the picture after each denoising step
 * @property {[string, number, number][]} modules where each layer is in the model, and the rows and columns of its own grid
 * @property {(step: number) => Sheet | null} noise the maps of one denoising step
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
  const known = before ? [...before.sheets, ...(before.beside ? [before.beside.sheet] : [])] : [];
  const open = (/** @type {any} */ packed, /** @type {string} */ id, /** @type {Step[]} */ steps) => {
    const kept = known.find((sheet) => sheet.id === `${id} ${packed.kind}`);
    return openSheet({ ...packed, id: `${id} ${packed.kind}` }, axes, data, steps, kept);
  };
  const { beside } = header;
  return {
    ...header,
    growing: Boolean(header.growing),
    sheets: header.sheets.map((/** @type {any} */ packed) => open(packed, header.id, header.steps)),
    beside: beside ? { ...beside, sheet: open(beside.sheet, beside.id, beside.steps) } : null,
    sound: header.sound ? openSound(header.sound, data) : null,
    ...openPictures(header, data, (packed) => openSheet(packed, axes, data, header.steps, undefined)),
  };
}

/**
 * A view in words, as it stands inside a sentence.
 *
 * @param {View} view
 */
export function viewTitle(view) {
  if (view.layer === null) return view.reduce === "mean" ? "mean over all heads" : "maximum over all heads";
  if (view.head === null) return `layer ${view.layer + 1}, mean over heads`;
  return `layer ${view.layer + 1}, head ${view.head + 1}`;
}
