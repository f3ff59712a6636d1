import { make } from "./dom.js";

/**
 * The elements that every map has, whatever its columns are: a title, row labels beside the cells, a frame over them.
 *
 * @param {HTMLElement} above what stands above the cells
 * @param {Node[]} over what lies over the cells besides the frame
 */
export function makeMapFrame(above, ...over) {
  const title = make("h3", { class: "xv-map-title" });
  const rowLabels = make("div", { class: "xv-row-labels", "aria-hidden": "true" });
  const cells = make("canvas", { class: "xv-cells" });
  const frame = make("canvas", { class: "xv-frame" });
  const stage = make("div", { class: "xv-stage", role: "application", tabindex: 0 }, cells, frame, ...over);
  stage.setAttribute("aria-roledescription", "attention map");
  const grid = make("div", { class: "xv-grid" }, above, rowLabels, stage);
  const view = make("div", { class: "xv-scroll" }, grid);
  const empty = make("p", { class: "xv-empty" });
  const element = make("section", { class: "xv-map" }, title, view, empty);
  return { title, rowLabels, cells, frame, stage, grid, view, empty, element };
}
