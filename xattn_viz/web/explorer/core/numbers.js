/**
 * Two decimals: as fine as the weights are that were sent.
 *
 * @param {number} value
 */
export function decimals(value) {
  return value.toFixed(2);
}
