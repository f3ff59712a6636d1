/**
 * The space bar plays and pauses wherever it has no other meaning in the explorer.
 *
 * @param {HTMLElement} root
 * @param {import("./player.js").Player} player
 * @param {() => number} start where the sound begins
 * @returns {() => void} stops listening
 */
export function hearKeys(root, player, start) {
  const heard = (/** @type {KeyboardEvent} */ event) => {
    const other = event.target instanceof Element && event.target.closest("button, input, select, summary, textarea");
    if (event.key !== " " || other || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!player.ready) return;
    player.toggle(start());
    event.preventDefault();
    event.stopPropagation();
  };
  root.addEventListener("keydown", heard, { capture: true });
  return () => root.removeEventListener("keydown", heard, { capture: true });
}
