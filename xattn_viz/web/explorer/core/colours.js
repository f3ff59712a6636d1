// Perceptual colour maps as 33 evenly spaced stops of the published ones (magma and viridis by Smith and van der Walt,
// cividis by Nuñez et al., all CC0); straight lines between the stops stay within 6/255 of them.
const STOPS = {
  magma:
    "0000040303110a0822130d331d114628115a36106a430f7650127c5d177f691c817621818226818f2a819c2e7fa9327db63779c33b75cf4170" +
    "db486ae65163ee5c5ef5695cf9785dfb8761fd9668fea571feb47bfec387fed194fde0a2fceeb0fcfdbf",
  viridis:
    "440154470d6048186a482374472d7b4536814240863f49893b528b375a8d33638d2f6a8e2c728e297a8e26818e23898e21908c1f988b1f9f88" +
    "21a68528ae8031b57b3ebc744cc26c5dc9636ece5882d34c96d83fabdc32c0df24d5e21aeae51afde725",
  cividis:
    "00224e00285b002e6a0433711a386f273e6e32436d3b496c434e6c4b546c52596d5a5f6e61656f686a716f70737576767c7b788481798b8778" +
    "938d789b9376a39a75aba072b3a670bbad6cc3b469ccba64d4c15fddc958e6d051efd748f8df3cfee838",
  grey: "000000ffffff",
};

export const COLOUR_MAPS = Object.keys(STOPS);

// Below 0 blue, above 0 red, told apart by the colour-blind, with 0 near the ground in the middle: on a light ground RdBu
// of ColorBrewer (Brewer and Harrower, Apache 2.0) the other way, on a dark one after berlin (Crameri, MIT).
const DIVERGING = {
  light: "0530612166ac4393c392c5ded1e5f0f7f7f7fddbc7f4a582d6604db2182b67001f",
  dark: "9eb0ff72b2ea4695bd2b6883193a4d120f10481a0d81301ab45b43da8775ffacac",
};

// Around linked words stands a colour that no colour map holds.
export const LINKED = "#21d4fd";

/** @typedef {[number, number, number]} Rgb 0 … 255 */

/**
 * 256 colours from weight 0 to the scale's maximum. On a light ground a map runs the other way, so that no weight is
 * close to the ground in both.
 *
 * @param {string} name one of `COLOUR_MAPS`
 * @param {boolean} dark
 * @returns {Uint8Array} [colour, channel]
 */
export function colourTable(name, dark) {
  const stops = STOPS[/** @type {keyof typeof STOPS} */ (name)] ?? STOPS.magma;
  return stopsTable(stops, !dark);
}

/**
 * The 256 colours that a map is drawn in: those of the theme, or of differences, 0 in the middle.
 *
 * @param {Theme} theme
 * @param {{apart?: boolean}} panel
 * @returns {Uint8Array} [colour, channel]
 */
export function tableFor({ table, dark }, { apart }) {
  return apart ? diverging[dark ? "dark" : "light"] : table;
}

const diverging = { light: stopsTable(DIVERGING.light, false), dark: stopsTable(DIVERGING.dark, false) };

/**
 * @param {string} digits of stops
 * @param {boolean} isReversed
 */
function stopsTable(digits, isReversed) {
  const stops = digits.match(/../g) ?? [];
  const last = stops.length / 3 - 1;
  const table = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const place = ((isReversed ? 255 - i : i) / 255) * last;
    const before = Math.min(Math.floor(place), last - 1);
    for (let channel = 0; channel < 3; channel++) {
      const from = Number.parseInt(stops[before * 3 + channel], 16);
      const to = Number.parseInt(stops[(before + 1) * 3 + channel], 16);
      table[i * 3 + channel] = Math.round(from + (to - from) * (place - before));
    }
  }
  return table;
}

/**
 * The place of a number in its table of 256 colours.
 *
 * @param {{top: number, apart?: boolean}} panel where the scale ends; `apart` for a difference, with 0 in the middle
 * @param {number} value
 */
export function levelOf({ top, apart }, value) {
  const share = apart ? (value / top + 1) / 2 : value / top;
  return Math.round(Math.min(Math.max(share, 0), 1) * 255);
}

/**
 * The colours of a table as pixels of an ImageData, four bytes in one number.
 *
 * @param {Uint8Array} table
 * @returns {Uint32Array} 256 opaque pixels
 */
export function pixels(table) {
  const bytes = new Uint8Array(256 * 4).fill(255);
  for (let i = 0; i < 256; i++) bytes.set(table.subarray(i * 3, i * 3 + 3), i * 4);
  return new Uint32Array(bytes.buffer);
}

/**
 * @param {Rgb} from
 * @param {Rgb} to
 * @param {number} share 0 … 1 of `to`
 * @returns {Rgb}
 */
export function mixed(from, to, share) {
  const part = Math.min(Math.max(share, 0), 1);
  return /** @type {Rgb} */ (from.map((value, i) => Math.round(value + (to[i] - value) * part)));
}

/**
 * Black or white, whichever reads better on a colour. The better of the two has a contrast of 4.58 or more on every
 * colour there is (√21, where both are equal), so text on any tint reaches WCAG AA.
 *
 * @param {Rgb} ground
 */
export function inkOn(ground) {
  const [r, g, b] = ground.map((value) => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  const luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
  return luminance > 0.179 ? "#000" : "#fff";
}

/**
 * A computed CSS colour as numbers; transparent counts as black.
 *
 * @param {string} css
 * @returns {Rgb}
 */
export function rgbOf(css) {
  let rgb = resolved.get(css);
  if (!rgb) {
    const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d"));
    context.fillStyle = css;
    context.fillRect(0, 0, 1, 1);
    const [r, g, b] = context.getImageData(0, 0, 1, 1).data;
    rgb = [r, g, b];
    resolved.set(css, rgb);
  }
  return rgb;
}

/** @type {Map<string, Rgb>} */
const resolved = new Map();

/**
 *
 * @typedef {object} Theme
 * @property {boolean} dark
 * @property {Rgb} ground
 * @property {string} ink
 * @property {Rgb} accent
 * @property {Uint8Array} table 256 colours
 */

/**
 * The page's own colours, read where the explorer stands.
 *
 * @param {HTMLElement} root
 * @param {string} colours
 * @returns {Theme}
 */
export function readTheme(root, colours) {
  const style = getComputedStyle(root);
  const ground = rgbOf(style.backgroundColor);
  const dark = inkOn(ground) === "#fff";
  return {
    dark,
    ground,
    ink: style.color,
    accent: rgbOf(style.getPropertyValue("--xv-tint").trim()),
    table: colourTable(colours, dark),
  };
}

/**
 * The colours over a picture, which is its own ground: no weight is dark on any page, so that what is read stands out.
 *
 * @param {Theme} theme
 * @param {string} colours
 * @returns {Theme}
 */
export function onPicture(theme, colours) {
  return theme.dark ? theme : { ...theme, table: colourTable(colours, true) };
}
