import { colourTable, inkOn, rgbOf } from "./colours.js";

/**
 * @typedef {import("./colours.js").Rgb} Rgb
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
