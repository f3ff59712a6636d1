/**
 * The pictures of a trace: the one that was read or drawn, and those on the way to it.
 *
 * @typedef {import("../core/payload.js").Sheet} Sheet
 * @typedef {import("../core/payload.js").View} View
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
    const sheet = opened.get(id) ?? withMeans(open({ ...packed, id }));
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

/**
 * Of a step only the heads were sent: their means and their maximum are made here, in the order of other sheets.
 *
 * @param {Sheet} sheet
 * @returns {Sheet}
 */
function withMeans(sheet) {
  /** @type {View[]} */
  const views = [];
  const add = (/** @type {View[]} */ from, /** @type {number | null} */ layer, /** @type {string} */ reduce) => {
    const name = layer === null ? reduce : `${layer + 1}.${reduce}`;
    const { cells, scale } = reduced(sheet, from, reduce);
    sheet.sent.set(name, cells);
    views.push({ ...from[0], name, layer, head: null, reduce, scale, at: null });
  };
  for (const layer of sheet.layers) {
    const heads = sheet.views.filter((view) => view.layer === layer);
    views.push(...heads);
    add(heads, layer, "mean");
  }
  add(sheet.views, null, "mean");
  add(sheet.views, null, "max");
  return { ...sheet, views };
}

/**
 * @param {Sheet} sheet
 * @param {View[]} heads
 * @param {string} reduce "mean" or "max"
 */
function reduced(sheet, heads, reduce) {
  const maps = heads.map((view) => /** @type {Uint8Array} */ (sheet.weights(view)));
  const values = new Float32Array(maps[0].length);
  heads.forEach(({ scale }, h) => {
    for (let i = 0; i < values.length; i++) {
      const value = (maps[h][i] * scale) / 255;
      values[i] = reduce === "max" ? Math.max(values[i], value) : values[i] + value / heads.length;
    }
  });
  const scale = values.reduce((a, b) => Math.max(a, b), 0) || 1;
  return { cells: Uint8Array.from(values, (value) => Math.round((value / scale) * 255)), scale };
}
