import { button, enlarge, make, SMALLEST_FONT } from "../core/dom.js";
import { patchSide } from "../picture/patches.js";

/**
 * Talk mode: one view as large as the window, its letters for the last row of a hall, led by keys or a clicker.
 *
 * @typedef {object} Actions
 * @property {(by: number) => boolean} turn goes on or back; false where there is nothing to turn
 * @property {(by: number) => void} move to what is below, or above
 * @property {() => void} aim nothing is hovered any more
 * @property {() => void} play the sound, or stops it
 * @property {() => void} paint
 * @property {[string, string][]} keys what ↓ and ↑ do, and keys that are not everywhere
 */

const LEAST = 24; // pixels of the smallest letters
const HALL = { width: 1024, height: 720 }; // pixels of a projector; on a larger one all grows with it
const HOLD = 250; // milliseconds until a pressed pointer is a laser pointer
const LINGER = 2500; // milliseconds that the buttons stay after the pointer has moved
const TURNS = { ArrowRight: 1, PageDown: 1, " ": 1, Enter: 1, n: 1, ArrowLeft: -1, PageUp: -1, Backspace: -1 };
const ENDS = { Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY };
// What colours hold on a projector that shows neither dark nor light ones well.
const CONTRASTS = ["", "xv-white-on-black", "xv-black-on-white"];
const KEYS = [
  ["→ PageDown Space", "on"],
  ["← PageUp", "back"],
  ["b .", "blank"],
  ["c", "high contrast: white on black, black on white, as before"],
  ["l, or hold the pointer", "laser pointer"],
  ["f", "full screen, or not"],
  ["?", "these keys"],
  ["Esc", "leave"],
];

/** @type {Set<HTMLElement>} */
const roots = new Set();
/** @type {HTMLElement | null} */
let talking = null;

/**
 * @param {HTMLElement} root
 * @param {Actions} actions
 */
export function makeTalk(root, { turn, move, aim, play, paint, keys: more }) {
  const enterButton = button("Full screen, for a talk (key t)", "Talk");
  const laser = make("div", { class: "xv-laser", "aria-hidden": "true" });
  const blank = make("div", { class: "xv-blank-screen" });
  const [back, next, keys, leaveButton] = [
    button("Back", "◀"),
    button("Next", "▶"),
    button("Keys", "?"),
    button("Leave the talk (Escape)", "✕"),
  ];
  const buttons = [back, next, keys, leaveButton];
  const bar = make("div", { class: "xv-talk-bar", role: "group", "aria-label": "Talk" }, ...buttons);
  const help = make("dl", { class: "xv-talk-keys" });
  help.append(
    ...[...KEYS.slice(0, 2), ...more, ...KEYS.slice(2)].flatMap(([key, does]) => [
      make("dt", {}, key),
      make("dd", {}, does),
    ]),
  );
  const parts = [bar, help, blank, laser];
  for (const part of parts) {
    part.classList.add("xv-talk-part");
    part.hidden = true;
  }
  let contrast = 0;
  let isOn = false;
  let isFull = false; // whether the screen was filled for this talk
  let wantsFull = true;
  let at = { x: 0, y: 0 };
  /** @type {number | undefined} */
  let holding;
  /** @type {number | undefined} */
  let lingering;
  let hasAimed = false;
  roots.add(root);

  const fill = () => {
    wantsFull = true;
    document.documentElement.requestFullscreen?.().then(
      () => {
        isFull = isOn; // only from now on the screen's own Escape is what ends it
      },
      () => {
        wantsFull = false; // not every frame may
      },
    );
  };
  const unfill = () => {
    isFull = wantsFull = false;
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
  };

  /** @param {boolean} isPressed whether a key or a click asked for it, which alone may fill the screen */
  function enter(isPressed) {
    if (isOn || talking) return;
    isOn = wantsFull = true;
    talking = root;
    say(true);
    root.classList.add("xv-talking");
    root.setAttribute("popover", "manual"); // which lies over all of the page, whatever that is made of
    root.showPopover();
    bar.hidden = false;
    if (isPressed) fill();
    measure();
    paint();
  }

  function leave() {
    if (!isOn) return;
    isOn = false;
    talking = null;
    say(false);
    enlarge(0);
    point(false);
    for (const part of parts) part.hidden = true;
    root.classList.remove("xv-talking", "xv-moving", ...CONTRASTS.filter(Boolean));
    contrast = 0;
    if (root.isConnected && root.matches(":popover-open")) root.hidePopover();
    root.removeAttribute("popover");
    unfill();
    paint();
    enterButton.focus({ preventScroll: true });
  }

  const measure = () => {
    const larger = Math.min(window.innerHeight / HALL.height, window.innerWidth / HALL.width);
    const unit = (LEAST / SMALLEST_FONT) * Math.max(larger, 1);
    enlarge(unit);
    root.style.setProperty("--xv-unit", String(unit));
  };

  /** @param {boolean} isShining */
  function point(isShining) {
    window.clearTimeout(holding);
    laser.hidden = !isShining;
    laser.style.translate = `${at.x}px ${at.y}px`;
    root.classList.toggle("xv-aiming", isShining);
    if (isShining) aim();
  }

  /** @param {number} by */
  function go(by) {
    blank.hidden = true;
    if (!turn(by)) move(by);
  }

  /** @param {string} key */
  function pressed(key) {
    const by = TURNS[/** @type {keyof typeof TURNS} */ (key)] ?? ENDS[/** @type {keyof typeof ENDS} */ (key)];
    if (by) return go(by);
    if (key === "ArrowDown" || key === "ArrowUp") return move(key === "ArrowDown" ? 1 : -1);
    if (key === "b" || key === ".") blank.hidden = !blank.hidden;
    if (key === "c") {
      contrast = (contrast + 1) % CONTRASTS.length;
      root.classList.remove(...CONTRASTS.filter(Boolean));
      if (contrast) root.classList.add(CONTRASTS[contrast]);
      paint();
    }
    if (key === "l") point(true);
    if (key === "p") play();
    if (key === "f") document.fullscreenElement ? unfill() : fill();
    if (key === "?") help.hidden = !help.hidden;
    if (key === "Escape" || key === "t") leave();
    return undefined;
  }

  /** @param {KeyboardEvent} event */
  function keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.composedPath()[0];
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!isOn) {
      const isTyping = target instanceof Element && target.closest("input, textarea, select, [contenteditable]");
      const isMine = roots.size === 1 || root.contains(/** @type {Node} */ (target));
      if (key !== "t" || isTyping || !isMine || talking || event.repeat) return;
      enter(true);
    } else if (key === "Tab") {
      const from = buttons.indexOf(/** @type {HTMLButtonElement} */ (target));
      buttons[(from + (event.shiftKey ? buttons.length - 1 : 1) + buttons.length) % buttons.length].focus();
    } else if (key === "Enter" && buttons.includes(/** @type {HTMLButtonElement} */ (target))) return;
    else if (!event.repeat || key.startsWith("Arrow")) {
      // Only a key or a click may fill the screen: a talk that the address began has waited for one.
      if (wantsFull && !isFull && key !== "Escape" && key !== "f" && key !== "t") fill();
      pressed(key);
    }
    // Nothing behind hears a key: the page has keys of its own, and a clicker's start is the browser's reload.
    event.preventDefault();
    event.stopImmediatePropagation();
  }
  /** @param {KeyboardEvent} event */
  function keyUp(event) {
    if (isOn && event.key.toLowerCase() === "l") point(false);
  }
  function fullScreenChanged() {
    if (!isOn) return;
    if (!document.fullscreenElement && isFull) return leave(); // the browser's own Escape
    root.hidePopover(); // what fills the screen lies over what lay over the page before
    root.showPopover();
    return undefined;
  }
  function resized() {
    if (isOn) measure();
  }
  window.addEventListener("keydown", keyDown, true);
  window.addEventListener("keyup", keyUp, true);
  window.addEventListener("resize", resized, true);
  document.addEventListener("fullscreenchange", fullScreenChanged);

  root.addEventListener(
    "pointermove",
    (event) => {
      if (!isOn) return;
      at = { x: event.clientX, y: event.clientY };
      window.clearTimeout(lingering);
      root.classList.add("xv-moving");
      lingering = window.setTimeout(() => root.classList.remove("xv-moving"), LINGER);
      if (laser.hidden) return;
      laser.style.translate = `${at.x}px ${at.y}px`;
      event.stopPropagation();
    },
    true,
  );
  root.addEventListener(
    "pointerdown",
    (event) => {
      if (!isOn) return;
      at = { x: event.clientX, y: event.clientY };
      hasAimed = false;
      event.stopPropagation(); // nothing is drawn or dragged in a talk
      if (event.target instanceof Element && event.target.closest("button")) return;
      holding = window.setTimeout(() => {
        hasAimed = true;
        point(true);
      }, HOLD);
    },
    true,
  );
  for (const name of ["pointerup", "pointercancel"]) root.addEventListener(name, () => isOn && point(false), true);
  root.addEventListener(
    "click",
    (event) => {
      if (isOn && hasAimed) event.stopPropagation(); // it was pointed at, not chosen
      hasAimed = false;
    },
    true,
  );
  blank.addEventListener("click", () => {
    blank.hidden = true;
  });
  enterButton.addEventListener("click", () => enter(true));
  leaveButton.addEventListener("click", leave);
  back.addEventListener("click", () => go(-1));
  next.addEventListener("click", () => go(1));
  keys.addEventListener("click", () => pressed("?"));

  return {
    button: enterButton,
    parts,
    enter,
    /** Begins where the address asks for it. */
    begin() {
      if (new URLSearchParams(window.location.search).get("talk") === "1") enter(false);
    },
    get isOn() {
      return isOn;
    },
    get hasContrast() {
      return contrast > 0;
    },
    stop() {
      if (isOn) leave();
      roots.delete(root);
      window.clearTimeout(lingering);
      window.removeEventListener("keydown", keyDown, true);
      window.removeEventListener("keyup", keyUp, true);
      window.removeEventListener("resize", resized, true);
      document.removeEventListener("fullscreenchange", fullScreenChanged);
    },
  };
}

/**
 * Makes the address say whether one talks: a reload, which a clicker may cause, comes back to the talk.
 *
 * @param {boolean} isOn
 */
function say(isOn) {
  try {
    const address = new URL(window.location.href);
    if (isOn) address.searchParams.set("talk", "1");
    else address.searchParams.delete("talk");
    window.history.replaceState(window.history.state, "", address);
  } catch {
    // A page opened from a file has nothing to write to.
  }
}

/**
 * The height that a talk leaves for its maps, below their titles and what their axes are.
 *
 * @param {HTMLElement} root
 * @param {HTMLElement} maps
 */
export function heightOfTalk(root, maps) {
  const edge = Number.parseFloat(getComputedStyle(root).paddingBottom);
  const title = /** @type {HTMLElement | null} */ (maps.querySelector(".xv-map-head"))?.offsetHeight ?? 0;
  return Math.max(root.getBoundingClientRect().bottom - edge - maps.getBoundingClientRect().top - title, 120);
}

/**
 * The row after or before the chosen one; where a picture is drawn from words, the word.
 *
 * @param {import("../core/scene.js").Scene} scene
 * @param {number} by
 * @returns {Partial<import("../core/state.js").State>}
 */
export function lineAfter({ main, state }, by) {
  if (!main.matrix) return {};
  const side = patchSide(main.sheet) === "rows" ? "column" : "row";
  const count = side === "row" ? main.matrix.rows.length : main.matrix.columns.length;
  const to = Math.min(Math.max(state[side] + by, 0), count - 1);
  return { row: -1, column: -1, [side]: to, hover: null, checked: null, step: -1 };
}
