import { make, makeSvg } from "../explorer/core/dom.js";
import { makeShape } from "./shape.js";

const HELP = {
  colour: "The colour of the shape that is placed next.",
  shape: "Which shape is placed next: click on the paper, or press Add.",
  size: "How large the shape is that is placed next.",
};

/**
 * What is placed next: one of the colours, of the shapes and of the sizes.
 *
 * @param {import("./easel.js").EaselData} data
 */
export function makePalette(data) {
  const chosen = { colour: Object.keys(data.colours)[0], shape: Object.keys(data.shapes)[0], size: "large" };

  /**
   * @param {"colour" | "shape" | "size"} part
   * @param {string[]} names
   */
  function group(part, names) {
    const legend = make("legend", {}, part[0].toUpperCase() + part.slice(1));
    return make(
      "fieldset",
      { class: `xv-${part}s`, "data-help": HELP[part] },
      legend,
      ...names.map((name) => choice(part, name)),
    );
  }

  /**
   * @param {"colour" | "shape" | "size"} part
   * @param {string} name
   */
  function choice(part, name) {
    const input = make("input", { type: "radio", name: `xv-${part}`, value: name, "aria-label": name });
    input.checked = chosen[part] === name;
    input.addEventListener("change", () => {
      chosen[part] = name;
      paint();
    });
    const face = makeSvg("svg", { viewBox: "-1.1 -1.1 2.2 2.2", "aria-hidden": "true" });
    faces.push(() => {
      const look = { ...chosen, [part]: name };
      const outline = part === "colour" ? 0 : data.shapes[look.shape];
      const radius = part === "size" ? data.sizes[name] / data.sizes.large : 1;
      face.replaceChildren(makeShape(outline, data.colours[look.colour], data.paper, radius));
    });
    return make("label", { class: "xv-swatch", title: name }, input, face);
  }

  /** @type {(() => void)[]} */
  const faces = [];
  const element = make(
    "div",
    { class: "xv-palette" },
    group("colour", Object.keys(data.colours)),
    group("shape", Object.keys(data.shapes)),
    group("size", Object.keys(data.sizes)),
  );
  paint();

  function paint() {
    for (const face of faces) face();
  }

  /**
   * What is chosen, at a place.
   *
   * @param {number} x
   * @param {number} y
   * @returns {import("./easel.js").Thing}
   */
  function thing(x, y) {
    return { colour: chosen.colour, shape: chosen.shape, x, y, radius: data.sizes[chosen.size] };
  }

  return { element, thing };
}
