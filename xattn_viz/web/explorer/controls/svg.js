/**
 * Parts of a picture that is saved as SVG. Text enters as text nodes only.
 */

export const SVG = "http://www.w3.org/2000/svg";

/**
 * A label that is not too long for a picture.
 *
 * @param {string} label
 */
export function short(label) {
  const characters = [...label];
  return characters.length > 24 ? `${characters.slice(0, 23).join("")}…` : label;
}

/**
 * @template {keyof SVGElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string | number>} attributes
 * @returns {SVGElementTagNameMap[K]}
 */
export function node(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name !== "xmlns") made.setAttribute(name, String(value));
  }
  return made;
}

/**
 * @param {string} content
 * @param {Record<string, string | number>} attributes
 */
export function text(content, attributes) {
  const made = node("text", { ...attributes, "unicode-bidi": "isolate" });
  made.textContent = content;
  return made;
}
