import { make } from "../core/dom.js";

/**
 * The one player of the explorer: plays all of the sound or a stretch of it, and says where it is.
 *
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {import("./sound.js").Stretch} Stretch
 *
 * @typedef {ReturnType<typeof makePlayer>} Player
 */

// `timeupdate` comes four times a second: too seldom to stop at the end of a word.
const NEAR = 0.06; // seconds before the end from which on it is watched closely
const CLOSELY = 4; // milliseconds

/** @param {() => void} tick called when the place or what is done has changed, with every picture while it plays */
export function makePlayer(tick) {
  const element = make("audio", { preload: "auto" });
  element.hidden = true;
  let address = "";
  /** @type {Uint8Array | null} */
  let playing = null;
  let offset = 0;
  let until = Number.POSITIVE_INFINITY;
  let failed = false;
  /** @type {number | undefined} */
  let timer;
  let frame = 0;

  const now = () => offset + element.currentTime;
  const watch = () => {
    window.clearTimeout(timer);
    if (element.paused) return;
    const left = until - now();
    if (left <= 0) element.pause();
    else if (left < Number.POSITIVE_INFINITY) {
      timer = window.setTimeout(watch, left > NEAR ? (left - NEAR / 2) * 1000 : CLOSELY);
    }
  };
  const follow = () => {
    tick();
    if (element.paused) return;
    if (now() >= until) element.pause();
    frame = window.requestAnimationFrame(follow);
  };
  const start = () => {
    window.cancelAnimationFrame(frame);
    element.play().then(watch, () => tick());
  };
  element.addEventListener("playing", () => {
    watch();
    window.cancelAnimationFrame(frame);
    follow();
  });
  for (const name of ["pause", "seeked", "ended", "loadedmetadata"]) element.addEventListener(name, () => tick());
  element.addEventListener("error", () => {
    failed = Boolean(address);
    tick();
  });

  const unload = () => {
    element.pause();
    window.clearTimeout(timer);
    window.cancelAnimationFrame(frame);
    element.removeAttribute("src");
    if (address) URL.revokeObjectURL(address);
    address = "";
    playing = null;
  };
  return {
    element,
    /** @param {Sound | null} sound */
    load(sound) {
      const audio = sound?.audio ?? null;
      offset = sound?.offset ?? 0;
      if (playing && audio && sameBytes(playing, audio.data)) return;
      unload();
      failed = false;
      if (!audio) return;
      playing = audio.data;
      address = URL.createObjectURL(new Blob([/** @type {BlobPart} */ (audio.data)], { type: audio.type }));
      element.src = address;
    },
    /** @param {Stretch} stretch */
    play({ from, to }) {
      if (!playing) return;
      until = to;
      element.currentTime = Math.max(from - offset, 0);
      start();
    },
    /** @param {number} from where to begin once all of it has been played */
    toggle(from) {
      if (!playing) return;
      if (!element.paused) return element.pause();
      until = Number.POSITIVE_INFINITY;
      if (element.ended) element.currentTime = Math.max(from - offset, 0);
      start();
    },
    /** @param {number} time */
    seek(time) {
      if (!playing) return;
      until = Number.POSITIVE_INFINITY;
      element.currentTime = Math.max(time - offset, 0);
    },
    pause: () => element.pause(),
    leave: unload,
    get ready() {
      return Boolean(playing) && !failed;
    },
    get failed() {
      return failed;
    },
    get time() {
      return now();
    },
    get running() {
      return !element.paused;
    },
  };
}

/**
 * @param {Uint8Array} some
 * @param {Uint8Array} others
 */
function sameBytes(some, others) {
  return some === others || (some.length === others.length && some.every((byte, i) => byte === others[i]));
}

/**
 * The space bar plays and pauses wherever it has no other meaning in the explorer.
 *
 * @param {HTMLElement} root
 * @param {Player} player
 * @param {() => number} start where the sound begins
 * @returns {() => void} stops rowOverSound
 */
export function followSpaceBar(root, player, start) {
  const pressed = (/** @type {KeyboardEvent} */ event) => {
    const other = event.target instanceof Element && event.target.closest("button, input, select, summary, textarea");
    if (event.key !== " " || other || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!player.ready) return;
    player.toggle(start());
    event.preventDefault();
    event.stopPropagation();
  };
  root.addEventListener("keydown", pressed, { capture: true });
  return () => root.removeEventListener("keydown", pressed, { capture: true });
}
