/**
 * The pictures of a trace: the one that was read or drawn, and those on the way to it.
 *
 * @typedef {import("../core/payload.js").Sheet} Sheet
 *
 * @typedef {object} Pixels
 * @property {Uint8Array} rgb [row, column, channel]
 * @property {number} width
 * @property {number} height
 */

/**
 * @param {any} header
 * @param {Uint8Array} data
 * @param {(packed: any) => Sheet} open what opens the maps of a step, which happens when they are asked for
 */
export function openPictures(header, data, open) {
  const pixelsOf = (/** @type {any} */ { at, width, height }) => ({
    rgb: data.subarray(at, at + 3 * width * height),
    width,
    height,
  });
  /** @type {Map<string, Sheet>} */
  const opened = new Map();
  const noise = (/** @type {number} */ step, kind = "cross") => {
    const packed = header.noise?.filter((/** @type {any} */ each) => each.kind === kind)[step];
    if (!packed) return null;
    const id = `${header.id} ${packed.kind} ${step}`;
    const sheet = opened.get(id) ?? open({ ...packed, id });
    opened.set(id, sheet);
    return sheet;
  };
  return {
    picture: header.picture ? pixelsOf(header.picture) : null,
    drawn: (header.drawn ?? []).map(pixelsOf),
    modules: header.modules ?? [],
    noise,
  };
}
