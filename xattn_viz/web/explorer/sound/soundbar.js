import { button, checkbox, make, rem } from "../core/dom.js";
import { columnAt, isOverSound, seconds } from "./sound.js";
import { framesOf, paintSound, paintTint, rowPixels } from "./soundpaint.js";
import { moment, WHOLE_TIME, wholeOf, zoomed } from "./time.js";

/**
 * In the place of a source sentence: all of the sound as a thin line, with play and pause, zoom, and what is cropped.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {import("./player.js").Player} Player
 * @typedef {import("./sound.js").Sound} Sound
 */

const LINE_HEIGHT = 32; // pixels at a font size of 16
const DRAGGED = 4;
const CLOSER = 2;
const SKIP = 0.5; // seconds that an arrow key moves

/**
 * @param {import("../core/scene.js").Change} change
 * @param {Player} player
 * @param {boolean} isSecond whether it is that of a second sound, which what is in view and cropped follows
 */
export function makeSoundBar(change, player, isSecond = false) {
  const play = button("Play", "▶");
  play.classList.add("xv-sound-play");
  const position = make("output", { class: "xv-position" });
  const picture = make("canvas");
  const tint = make("canvas", { class: "xv-tint" });
  const view = make("div", { class: "xv-window" });
  const cursor = make("div", { class: "xv-cursor" });
  const line = make("div", { class: "xv-line-of-sound", role: "slider", tabindex: 0 }, picture, tint, view, cursor);
  line.setAttribute("aria-label", "Place in the sound");
  const closer = button("Zoom in", "+");
  const farther = button("Zoom out", "−");
  const whole = button("Show all of the sound", "All");
  const zoom = make(
    "span",
    { class: "xv-switch", role: "group", "aria-label": "Zoom in time" },
    farther,
    closer,
    whole,
  );
  const crop = checkbox("Crop silence", "Leave out what is silent before and behind the speech.", (checked) =>
    change({ crop: checked, ...WHOLE_TIME }),
  );
  const times = checkbox("Word times", "Draw the time of each word over the map.", (checked) =>
    change({ times: checked }),
  );
  // Below the map: it says how the recording was cut, which few ask for.
  const note = make("p", { class: "xv-cropped", "aria-live": "polite" });
  const more = make("div", { class: "xv-sound-more" }, crop.element, times.element);
  const name = make("span", { class: "xv-sound-name" });
  const bar = make("div", { class: "xv-sound-line" }, name, play, position, line, ...(isSecond ? [] : [zoom, more]));
  const label = isSecond ? "The other sound" : "Sound";
  const element = make(
    "div",
    { class: isSecond ? "xv-other-sound" : "xv-sound", role: "group", "aria-label": label },
    bar,
  );
  /** @type {Scene | null} */
  let last = null;
  let pictured = "";
  let width = 0;
  /** @type {{x: number, from: number, moved: boolean} | null} */
  let drag = null;

  const panelOf = (/** @type {Scene | null} */ scene) => (isSecond ? scene?.second : scene?.main) ?? null;
  const soundOf = (/** @type {Scene | null} */ scene) => panelOf(scene)?.sound ?? null;
  const timeAt = (/** @type {MouseEvent} */ event) => {
    const box = line.getBoundingClientRect();
    const { start, reach } = soundOf(last) ?? { start: 0, reach: 0 };
    return start + Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * (reach - start);
  };
  // What is in view is said in seconds of the first sound.
  const inFirst = (/** @type {import("./sound.js").Stretch} */ stretch) => {
    const [own, first] = [soundOf(last), last?.trace.sound];
    return own && first ? moment(stretch, own, first) : stretch;
  };
  const stepped = (/** @type {number} */ factor) => {
    const sound = last?.trace.sound;
    if (!last || !sound || !last.range) return;
    const { from, to } = last.range;
    const about = player.time > from && player.time < to ? player.time : (from + to) / 2;
    change(zoomed(last.range, wholeOf(sound, last.state), factor, about));
  };
  play.addEventListener("click", () => player.toggle(panelOf(last)?.range?.from ?? 0));
  closer.addEventListener("click", () => stepped(CLOSER));
  farther.addEventListener("click", () => stepped(1 / CLOSER));
  whole.addEventListener("click", () => change(WHOLE_TIME));
  line.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, from: timeAt(event), moved: false };
  });
  line.addEventListener("pointermove", (event) => {
    if (!last) return;
    const at = timeAt(event);
    if (drag && (event.buttons & 1) === 1) {
      drag.moved ||= Math.abs(event.clientX - drag.x) > DRAGGED;
      const stretch = { from: Math.min(drag.from, at), to: Math.max(drag.from, at) };
      if (drag.moved) change({ ...inFirst(stretch), hover: null });
      return;
    }
    const panel = panelOf(last);
    if (panel && isOverSound(panel))
      change({ hover: { row: -1, column: columnAt(panel, at), kind: panel.sheet.kind } });
  });
  line.addEventListener("pointerleave", () => change({ hover: null }));
  line.addEventListener("click", (event) => {
    if (!drag?.moved) player.seek(timeAt(event));
    drag = null;
  });
  line.addEventListener("dblclick", () => change(WHOLE_TIME));
  line.addEventListener("keydown", (event) => {
    const sound = soundOf(last);
    const by = { ArrowLeft: -SKIP, ArrowRight: SKIP, Home: Number.NEGATIVE_INFINITY }[event.key];
    if (!sound || by === undefined) return;
    event.preventDefault();
    player.seek(Math.min(Math.max(player.time + by, sound.start), sound.end));
  });

  /** @param {Scene} scene */
  function paint(scene) {
    last = scene;
    const panel = panelOf(scene);
    const sound = isSecond && !(scene.compared && scene.trace.beside?.hears) ? null : soundOf(scene);
    const range = panel?.range;
    element.hidden = note.hidden = !sound;
    if (isSecond) element.replaceChildren(...(sound ? [bar] : []));
    if (!panel || !sound || !range) return;
    name.textContent = scene.trace.beside?.hears ? panel.name : "";
    name.hidden = !name.textContent;
    for (const part of [play, position]) part.hidden = !sound.audio;
    crop.element.hidden = !sound.speech;
    crop.input.checked = scene.state.crop;
    times.element.hidden = !sound.words.length && !sound.path.length;
    times.input.checked = scene.state.times;
    width = line.clientWidth;
    const high = LINE_HEIGHT * rem();
    const all = { from: sound.start, to: sound.reach };
    const look = [scene.trace.id, scene.trace.beside?.id, width, high, scene.theme.dark, window.devicePixelRatio].join(
      " ",
    );
    if (look !== pictured) {
      pictured = look;
      paintSound(picture, sound, all, width, high, scene.theme);
    }
    const { edges, matrix: m, focus, top } = panel;
    const { row } = focus;
    const shares =
      edges && m && row >= 0
        ? rowPixels(m, row, framesOf(edges, all, picture.width)).map((weight) => weight / top)
        : null;
    paintTint(tint, shares, width, high, scene.theme);
    const place = (/** @type {number} */ time) => `${((time - sound.start) / (sound.reach - sound.start)) * 100}%`;
    view.hidden = range.from <= sound.start && range.to >= sound.reach;
    Object.assign(view.style, { left: place(range.from), right: `calc(100% - ${place(range.to)})` });
    const entire = scene.state.to <= scene.state.from;
    whole.disabled = entire;
    farther.disabled = entire;
    note.textContent = cropped(scene, sound);
    tick();
  }

  /** What changes while it plays. */
  function tick() {
    const sound = soundOf(last);
    if (!sound) return;
    const at = Math.min(Math.max(player.time, sound.start), sound.end);
    const face = player.running ? "❚❚" : "▶";
    if (play.textContent !== face) {
      play.textContent = face;
      play.setAttribute("aria-label", player.running ? "Pause" : "Play");
      play.dataset.help = play.getAttribute("aria-label") ?? "";
    }
    play.disabled = !player.ready;
    position.textContent = player.failed
      ? "This browser cannot play the sound."
      : `${seconds(at)} / ${seconds(sound.end)} s`;
    cursor.hidden = !sound.audio;
    cursor.style.left = `${((at - sound.start) / (sound.reach - sound.start)) * width}px`;
    line.setAttribute("aria-valuemin", seconds(sound.start));
    line.setAttribute("aria-valuemax", seconds(sound.end));
    line.setAttribute("aria-valuenow", seconds(at));
    line.setAttribute("aria-valuetext", `${seconds(at)} seconds`);
  }
  return { element, note, paint, tick };
}

/**
 * What of the recording is not shown, in words.
 *
 * @param {Scene} scene
 * @param {Sound} sound
 */
function cropped({ state, main }, sound) {
  const said = [];
  if (sound.padding > 0) said.push(`${sound.padding.toFixed(1)} s of padding behind the sound are left out.`);
  else if (main.sheet.altered.includes("cropped")) said.push("Padding behind the sound was left out before.");
  const { from, to } = wholeOf(sound, state);
  if (state.crop) {
    said.push(
      from > sound.start || to < sound.reach
        ? `Silence cropped: ${(from - sound.start).toFixed(1)} s before and ${(sound.reach - to).toFixed(1)} s behind the speech.`
        : "There is no silence to crop before or behind the speech.",
    );
  }
  return said.join(" ");
}
