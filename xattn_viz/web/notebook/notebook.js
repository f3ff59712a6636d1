/**
 * Shows a saved page of the explorer inside of a notebook, and tells the notebook what is looked at in it.
 *
 * The page stands in a frame without an origin: it has no access to the notebook around it, and its keys, styles and
 * address are its own.
 *
 * @typedef {object} Model the state that Python shares (anywidget)
 * @property {(name: string) => any} get
 * @property {(name: string, value: unknown) => void} set
 * @property {() => void} save_changes
 * @property {(name: string, act: () => void) => void} on
 * @property {(name: string, act: () => void) => void} off
 */

const DARK = 128; // of a ground that is darker than half way, 0 … 255

/** @param {{model: Model, el: HTMLElement}} place */
function render({ model, el }) {
  const frame = document.createElement("iframe");
  frame.title = "Cross-attention explorer";
  frame.setAttribute("sandbox", "allow-scripts allow-downloads");
  Object.assign(frame.style, { border: "0", display: "block", resize: "vertical", width: "100%" });
  const show = () => {
    frame.srcdoc = model.get("page");
  };
  const size = () => {
    frame.style.height = `${model.get("height")}px`;
  };
  // What a frame prefers, light or dark, follows from the scheme of the element that holds it.
  const dress = () => {
    frame.style.colorScheme = isDark(el) ? "dark" : "light";
  };
  /** @param {MessageEvent} event */
  const hear = (event) => {
    if (event.source !== frame.contentWindow || event.data?.xattnViz !== "selected") return;
    // With the time: the same choice after Python showed something else is news too.
    model.set("selected", { ...event.data.value, at: Date.now() });
    model.save_changes();
  };
  window.addEventListener("message", hear);
  model.on("change:page", show);
  model.on("change:height", size);
  const observer = new MutationObserver(dress);
  for (const each of [document.documentElement, document.body]) observer.observe(each, { attributes: true });
  el.append(frame);
  for (const act of [dress, size, show]) act();
  requestAnimationFrame(dress); // only now it is on the page, whose ground it follows
  return () => {
    window.removeEventListener("message", hear);
    model.off("change:page", show);
    model.off("change:height", size);
    observer.disconnect();
  };
}

/**
 * Whether the ground that an element stands on is dark: the first around it that can be seen.
 *
 * @param {Element} element
 */
function isDark(element) {
  const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  /** @type {Node | null} */
  let around = element;
  while (context && around) {
    if (around instanceof Element) {
      context.clearRect(0, 0, 1, 1);
      context.fillStyle = getComputedStyle(around).backgroundColor;
      context.fillRect(0, 0, 1, 1);
      const [r, g, b, alpha] = context.getImageData(0, 0, 1, 1).data;
      if (alpha > DARK) return 0.299 * r + 0.587 * g + 0.114 * b < DARK;
    }
    around = around instanceof ShadowRoot ? around.host : around.parentNode;
  }
  return false;
}

export default { render };
