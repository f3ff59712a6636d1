/**
 * Numbers as they are shown: two decimals, fewer where a number is long.
 *
 * @param {number} value
 */
export function figure(value) {
  if (value === -Infinity) return "−∞";
  if (!Number.isFinite(value)) return "";
  const size = Math.abs(value);
  const digits = size < 99.995 ? 2 : size < 999.95 ? 1 : 0;
  const text = size < 99999.5 ? value.toFixed(digits) : value.toExponential(0).replace("e+", "e");
  return /^-[0.]*$/.test(text) ? text.slice(1) : text.replaceAll("-", "−");
}

/**
 * A shape, by number.
 *
 * @param {number[]} sizes
 */
export function sizesText(...sizes) {
  return sizes.join(" × ");
}
