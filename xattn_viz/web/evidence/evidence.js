import { readTheme } from "../explorer/core/colours.js";
import { make, makeLeaving } from "../explorer/core/dom.js";
import { drawGrid } from "./grid.js";
import { drawLinks } from "./links.js";
import { drawTokens } from "./tokens.js";

/**
 * One figure of what was measured: a grid of numbers, two sentences with lines between their words, or tokens with what
 * becomes of each. All text enters as text nodes.
 *
 * @typedef {import("./grid.js").Grid} Grid
 * @typedef {import("./links.js").Links} Links
 * @typedef {import("./tokens.js").Tokens} Tokens
 *
 * @typedef {Grid | Links | Tokens} Figure
 */

/** @type {WeakMap<Element, {leave: () => void}>} */
const mounted = new WeakMap();

/**
 * Draws the figure, anew with every change of data or theme.
 *
 * @param {{data: Figure, parentElement: Element | ShadowRoot, setTriggerValue?: (name: string, value: unknown) => void}}
 *   component
 */
export default function mount({ data, parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".xv"));
  const had = focused(root);
  mounted.get(root)?.leave();
  const isLeaving = makeLeaving();
  const theme = readTheme(root, "magma");
  const choose = (/** @type {number} */ row, /** @type {number} */ column) => {
    if (!isLeaving()) setTriggerValue?.("chosen", [row, column]);
  };
  let leave = () => {};
  if (data.kind === "grid") root.replaceChildren(drawGrid(data, theme, choose));
  else if (data.kind === "tokens") root.replaceChildren(drawTokens(data, theme));
  else {
    const place = make("div", {});
    root.replaceChildren(place);
    leave = drawLinks(data, place);
  }
  if (had) /** @type {HTMLElement | null} */ (root.querySelector(`[data-at="${had}"]`))?.focus();
  mounted.set(root, { leave });
  return () => {
    leave();
    mounted.delete(root);
  };
}

/**
 * Which cell has the focus, as a click on it draws all anew.
 *
 * @param {HTMLElement} root
 */
function focused(root) {
  const active = /** @type {Document | ShadowRoot} */ (root.getRootNode()).activeElement;
  return active instanceof HTMLElement ? active.dataset.at : undefined;
}
