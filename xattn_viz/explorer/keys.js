/**
 * The space bar plays and pauses wherever it has no other meaning in the explorer.
 *
 * @param {HTMLElement} root
 * @param {() => boolean} toggle false where there is nothing to play
 * @returns {() => void} stops listening
 */
export function hearKeys(root, toggle) {
  const heard = (/** @type {KeyboardEvent} */ event) => {
    const other = event.target instanceof Element && event.target.closest("button, input, select, summary, textarea");
    if (event.key !== " " || other || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!toggle()) return;
    event.preventDefault();
    event.stopPropagation();
  };
  root.addEventListener("keydown", heard, { capture: true });
  return () => root.removeEventListener("keydown", heard, { capture: true });
}
