/**
 * Numbers, sums and shares written out in figures.
 */

const MOST_TERMS = 8; // beyond, the largest of them and the sum of the rest
const LARGEST_TERMS = 4;

/**
 * @param {number[]} a
 * @param {number[]} b
 * @param {number} total
 */
export function productText(a, b, total) {
  const order = a.map((_, i) => i);
  if (a.length > MOST_TERMS) {
    order.sort((i, j) => Math.abs(a[j] * b[j]) - Math.abs(a[i] * b[i])).splice(LARGEST_TERMS);
  }
  const terms = order.map((i) => `${figure(a[i])}·${figure(b[i])}`);
  if (order.length < a.length) {
    const rest = total - order.reduce((sum, i) => sum + a[i] * b[i], 0);
    terms.push(`${figure(rest)} (${a.length - order.length} smaller terms)`);
  }
  return `${terms.join(" + ")} = ${figure(total)}`;
}

/**
 * @param {number[]} row
 * @param {number} at
 * @param {number} weight
 */
export function softmaxText(row, at, weight) {
  const order = row.map((_, i) => i);
  if (row.length > MOST_TERMS) order.sort((i, j) => row[j] - row[i]).splice(LARGEST_TERMS);
  const terms = order.map((i) => `e^${figure(row[i])}`);
  if (order.length < row.length) terms.push(`${row.length - order.length} smaller terms`);
  return `e^${figure(row[at])} ÷ (${terms.join(" + ")}) = ${figure(weight)}`;
}

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
