/**
 * Follows the player that the page shows, an `audio` element outside of the component, which Streamlit may replace.
 *
 * @param {() => string} place the class of what holds it
 * @param {(time: number, isRunning: boolean) => void} heard called with every picture while it plays, and when it jumps
 */
export function followSound(place, heard) {
  let frame = 0;
  const find = () => {
    const name = place();
    return name ? /** @type {HTMLAudioElement | null} */ (document.querySelector(`.${CSS.escape(name)} audio`)) : null;
  };
  const look = () => {
    window.cancelAnimationFrame(frame);
    const audio = find();
    heard(audio?.currentTime ?? 0, Boolean(audio && !audio.paused));
    if (audio && !audio.paused) frame = window.requestAnimationFrame(look);
  };
  const happened = (/** @type {Event} */ event) => {
    if (event.target === find()) look();
  };
  // Events of media do not bubble, but they are captured.
  const names = ["playing", "pause", "seeked", "seeking", "ended", "loadedmetadata"];
  for (const name of names) document.addEventListener(name, happened, true);
  return {
    look,
    /** @param {number} from seconds */
    play(from) {
      const audio = find();
      if (!audio) return;
      audio.currentTime = from;
      audio.play().catch(() => look()); // the browser may want a click on the player first
    },
    leave() {
      window.cancelAnimationFrame(frame);
      for (const name of names) document.removeEventListener(name, happened, true);
    },
  };
}
