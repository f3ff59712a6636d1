/**
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @returns {SVGElement}
 */
export function makeSvg(tag, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

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
