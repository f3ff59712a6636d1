import { readTheme } from "../explorer/core/colours.js";
import { makeLeaving } from "../explorer/core/dom.js";
import { drawFigure } from "./figure.js";

/**
 * A figure of what was measured, in the app.
 */

/** @type {WeakMap<Element, {leave: () => void}>} */
const mounted = new WeakMap();

/**
 * Draws the figure, anew with every change of data or theme.
 *
 * @param {{data: import("./figure.js").Figure, parentElement: Element | ShadowRoot, setTriggerValue?: (name: string, value: unknown) => void}}
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
  const leave = drawFigure(data, root, theme, choose);
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
