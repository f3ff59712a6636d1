import { make } from "../explorer/core/dom.js";
import { followHelp } from "../explorer/core/help.js";
import { makeKeys } from "./keys.js";
import { makeTour, wasSeen } from "./tour.js";
import { helpOnPage } from "./widgets.js";

/**
 * What helps a newcomer on a page: a button that lists its keys and controls, a tour that comes by itself once, and a
 * line of help on each of Streamlit's own controls.
 *
 * @typedef {{leave: () => void}} Guide
 */

/** @type {WeakMap<Element, Guide>} */
const guides = new WeakMap();

/**
 * Mounts the guide of the page named `data.page`, once.
 *
 * @param {{data: {page: string}, parentElement: Element | ShadowRoot, setStateValue?: unknown}} component
 */
export default function mount({ data, parentElement, setStateValue: _ }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".xv-aside"));
  if (root.dataset.page !== data.page) {
    guides.get(root)?.leave();
    guides.set(root, makeGuide(root, data.page));
  }
  return () => {
    guides.get(root)?.leave();
    guides.delete(root);
  };
}

/**
 * @param {HTMLElement} root
 * @param {string} page
 * @returns {Guide}
 */
function makeGuide(root, page) {
  root.dataset.page = page;
  const tour = makeTour(page);
  const keys = makeKeys(page, tour);
  const open = make("button", { type: "button", class: "xv-button xv-ask", "aria-label": "Keys, controls, tour" }, "?");
  open.addEventListener("click", () => {
    tour.end();
    keys.open();
  });
  root.replaceChildren(open, keys.element, tour.element);
  const leaveHelp = followHelp(document, root, (target) =>
    target === open
      ? { element: open, text: "What keys and controls do, and a tour of five stops" }
      : helpOnPage(target),
  );
  const timer = wasSeen() ? undefined : window.setInterval(firstVisit, LOOK);
  function firstVisit() {
    if (wasSeen()) window.clearInterval(timer);
    else if (tour.isPossible()) tour.begin();
  }
  return {
    leave() {
      window.clearInterval(timer);
      leaveHelp();
      tour.end();
      delete root.dataset.page;
    },
  };
}

const LOOK = 400; // milliseconds between two looks whether the first map is there
