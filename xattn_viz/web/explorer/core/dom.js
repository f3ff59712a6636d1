/**
 * Makes elements. Text enters as text nodes only, so a token can never become markup.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number | boolean>} [attributes] `true` sets an empty attribute, `false` leaves it out
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children);
  return element;
}

/**
 * Makes an element of an SVG picture, in the same way.
 *
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[K]}
 */
export function makeSvg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * A label kept apart from the direction of the text around it.
 *
 * @param {string} label
 * @param {string} [name] its class
 */
export function isolated(label, name = "xv-token") {
  return make("bdi", { class: name }, label);
}

export const SMALLEST_FONT = 12; // pixels at a font size of 16
let enlarged = 0;

/**
 * From now on everything is measured in another unit, which a talk needs for its last row; 0 is the page's own again.
 *
 * @param {number} unit
 */
export function enlarge(unit) {
  enlarged = unit;
}

/** Whether that is so: then a map keeps to the room there is, and scrolls where it must. */
export function isEnlarged() {
  return enlarged > 0;
}

/** The page's font size against the usual 16 pixels: what is measured in pixels here grows with it. */
export function rem() {
  return enlarged || fontScale();
}

const fontScale = askedOnce(() => Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16);

/**
 * A question that may make the browser lay out the whole page: what it answers holds until the script that asks is over.
 *
 * @template T
 * @param {() => T} ask
 * @returns {() => T}
 */
function askedOnce(ask) {
  /** @type {{answer: T} | null} */
  let known = null;
  return () => {
    if (!known) {
      known = { answer: ask() };
      queueMicrotask(() => {
        known = null;
      });
    }
    return known.answer;
  };
}

/**
 * A canvas fitted to a size in CSS pixels and to the screen's resolution.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 * @returns {CanvasRenderingContext2D} scaled so that one unit is one CSS pixel
 */
export function fitted(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(canvas.width / width, 0, 0, canvas.height / height, 0, 0);
  return context;
}

/**
 * The height left for the maps, so that the whole explorer fits the window where the window allows. How far the page is
 * scrolled does not count.
 *
 * @param {HTMLElement} maps
 */
export function heightLeft(maps) {
  const begins = maps.getBoundingClientRect().top + scrolled(maps);
  return Math.max(window.innerHeight - begins - 56 * rem(), 280);
}

/**
 * How far everything around an element is scrolled down, in pixels.
 *
 * @param {Node} element
 */
function scrolled(element) {
  return around(element).reduce((sum, each) => sum + each.scrollTop, window.scrollY);
}

/**
 * The elements that an element lies in, through the roots of shadows, up to the body.
 *
 * @param {Node} element
 */
export function around(element) {
  const found = [];
  let each = element.parentNode;
  while (each && each !== document.documentElement) {
    if (each instanceof Element) found.push(each);
    each = each instanceof ShadowRoot ? each.host : each.parentNode;
  }
  return found;
}

/**
 * @param {string} label
 * @param {string} face
 */
export function button(label, face) {
  return make("button", { type: "button", class: "xv-button", "aria-label": label, "data-help": label }, face);
}

/**
 * @param {string} label
 * @param {string} help a line that says what it does
 * @param {(checked: boolean) => void} changed
 */
export function checkbox(label, help, changed) {
  const input = make("input", { type: "checkbox" });
  input.addEventListener("change", () => changed(input.checked));
  return { input, element: make("label", { class: "xv-check-label", "data-help": help }, input, label) };
}

/**
 * Whether the visitor is turning to another page. A message of a component that reaches the server then would end the
 * run of that page, and leave it empty.
 */

const GRACE = 3000; // milliseconds from a click on a link until its page is there, or the visitor stayed

let lastClick = Number.NEGATIVE_INFINITY;
document.addEventListener(
  "click",
  (event) => {
    if (event.target instanceof Element && event.target.closest("a[href]")) lastClick = performance.now();
  },
  true,
);

/** What answers that, from here on. */
export function makeLeaving() {
  const place = window.location.pathname;
  return () => window.location.pathname !== place || performance.now() - lastClick < GRACE;
}
