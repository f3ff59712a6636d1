import { makeSvg } from "../explorer/core/dom.js";

/**
 * A shape around (0, 0), filled.
 *
 * @param {import("./easel.js").Outline} outline
 * @param {string} fill
 * @param {string} paper what shows through a hole
 * @param {number} radius
 */
export function makeShape(outline, fill, paper, radius) {
  const group = makeSvg("g");
  if (typeof outline === "number") {
    group.append(makeSvg("circle", { r: radius, fill }));
    if (outline) group.append(makeSvg("circle", { r: radius * outline, fill: paper }));
  } else {
    const points = outline.map(([x, y]) => `${x * radius},${y * radius}`).join(" ");
    group.append(makeSvg("polygon", { points, fill }));
  }
  return group;
}
