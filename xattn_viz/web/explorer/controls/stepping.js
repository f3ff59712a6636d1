import { button, isolated, make } from "../core/dom.js";
import { decimals } from "../core/matrix.js";
import { spokenSpan } from "../sound/sound.js";
import { revealed } from "../sound/time.js";

/**
 * Steps through the decoding: each step writes one token, and shows beside it what else the decoder could have written.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {(prefix: number[]) => void} Proceed asks the model to go on behind these token ids
 */

const STEP_HELP = "Write the output again, token by token, with what else each could have been.";
const PACE = 900; // milliseconds a token, slow enough to talk along
const SPEEDS = ["0.5", "1", "2", "4"];
const OTHERS = 4; // of the tokens that were not written, so many are shown
const REST = 0.005; // from this probability on, what is left for all other tokens is shown

/**
 * @param {import("../core/scene.js").Change} change
 * @param {() => Proceed | null} proceeding null where no model is behind the page
 */
export function makeStepping(change, proceeding) {
  const back = button("Back", "◀");
  const play = make("button", { type: "button", class: "xv-button xv-play", "data-help": STEP_HELP });
  const next = button("Next", "▶");
  const all = button("Show all", "All");
  for (const [each, key] of /** @type {[HTMLElement, string][]} */ ([
    [back, ","],
    [next, "."],
  ])) {
    each.dataset.help += ` (${key})`;
    each.setAttribute("aria-keyshortcuts", key);
  }
  const speeds = SPEEDS.map((speed) => make("option", { value: speed, selected: speed === "1" }, `${speed}×`));
  const speed = make(
    "select",
    { class: "xv-speed", "aria-label": "Speed", "data-help": "Speed of the steps" },
    ...speeds,
  );
  const choices = make("span", { class: "xv-choices" });
  const element = make("div", { class: "xv-stepping", role: "group", "aria-label": "Step through the decoding" });
  element.append(back, play, next, all, speed, choices);
  /** @type {number | undefined} */
  let timer;
  /** @type {Scene | null} */
  let last = null;
  let painted = "";
  const name = () => {
    play.textContent = timer === undefined ? "▶ Step through" : "❚❚ Pause";
  };
  name();

  const count = () => last?.main.sheet.steps.length ?? 0;
  const go = (/** @type {number} */ step) => {
    const row = last?.main.matrix?.rowOf[step] ?? -1;
    const sound = last?.trace.sound;
    const span = last && spokenSpan(last, last.main.matrix?.rows[row]?.positions ?? []);
    const inView = last && sound && span ? revealed(sound, last.state, span) : {};
    change({ step, row, column: -1, hover: null, checked: null, ...inView });
  };
  const pause = () => {
    window.clearInterval(timer);
    timer = undefined;
    name();
  };
  const forward = () => {
    const step = last?.state.step ?? -1;
    if (step >= count() - 1) pause();
    else go(step + 1);
  };
  const run = () => {
    window.clearInterval(timer);
    timer = window.setInterval(forward, PACE / Number(speed.value));
    name();
  };
  const toggle = () => {
    if (timer !== undefined) return pause();
    if ((last?.state.step ?? -1) >= count() - 1) change({ step: -1 });
    run();
    return forward();
  };
  const by = (/** @type {number} */ steps) => {
    pause();
    const step = last?.state.step ?? -1;
    const to = step < 0 && steps < 0 ? count() - 1 : step;
    go(Math.min(Math.max(to + steps, 0), count() - 1));
  };
  const showAll = () => {
    pause();
    change({ step: -1 });
  };
  play.addEventListener("click", toggle);
  next.addEventListener("click", () => by(1));
  back.addEventListener("click", () => by(-1));
  all.addEventListener("click", showAll);
  speed.addEventListener("change", () => {
    if (timer !== undefined) run();
  });

  /**
   * A comma steps back and a full stop on, as in players of films; among the buttons here the arrow keys do so too.
   *
   * @param {KeyboardEvent} event
   */
  function follow(event) {
    const { key, target } = event;
    if (element.hidden || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (!(target instanceof Element) || target.closest("input, select, textarea")) return;
    const here = element.contains(target);
    if (key === "." || (here && key === "ArrowRight")) by(1);
    else if (key === "," || (here && key === "ArrowLeft")) by(-1);
    else if (here && key === "Escape") showAll();
    else return;
    event.preventDefault();
  }

  /**
   * One token forth or back; before the first one stands all that is written.
   *
   * @param {number} steps
   * @returns {boolean} false where nothing was written step by step
   */
  function step(steps) {
    pause();
    if (!count() || !last) return false;
    const at = Math.min(last.state.step + steps, count() - 1);
    if (at < 0) change({ step: -1 });
    else go(at);
    return true;
  }

  choices.addEventListener("click", (event) => {
    const pressed = event.target instanceof Element ? event.target.closest("button") : null;
    const proceed = proceeding();
    if (!pressed || !last || !proceed) return;
    pause();
    const { step } = last.state;
    const before = last.main.sheet.steps.slice(0, step >= 0 ? step : rowStep(last));
    proceed([...before.map(({ id }) => id), Number(pressed.dataset.id)]);
  });

  /** @param {Scene} scene */
  function paint(scene) {
    // A cell or a word that was clicked shows all that is written: the next step would close what it opened.
    if (last && (last.trace !== scene.trace || (timer !== undefined && scene.state.step < 0))) pause();
    last = scene;
    element.hidden = count() === 0 || scene.trace.growing;
    const at = scene.state.step;
    const held = [back, next, all].find((each) => each.matches(":focus"));
    back.disabled = at === 0;
    all.disabled = at < 0;
    next.disabled = at >= count() - 1;
    if (held?.disabled) play.focus({ preventScroll: true }); // a disabled button hears no key
    const step = scene.main.sheet.steps[at >= 0 ? at : rowStep(scene)];
    const look = JSON.stringify([step, at, Boolean(proceeding())]);
    if (look !== painted) choices.replaceChildren(...(step ? chosen(scene, step, at, Boolean(proceeding())) : []));
    painted = look; // a button that is about to be clicked stays the same one
    choices.dataset.step = String(at);
  }
  return { element, paint, follow, step, stop: pause };
}

/**
 * The step of the row in focus, where the rows are steps.
 *
 * @param {Scene} scene
 */
function rowStep(scene) {
  const row = scene.main.matrix?.rows[scene.focus.row];
  if (!row || row.positions.length > 1) return -1;
  return row.positions[0] - (scene.state.rows === "input" && scene.main.sheet.read ? 1 : 0);
}

/**
 * The token written, what could have been written instead, and what is left for all other tokens: together 1.
 *
 * @param {Scene} scene
 * @param {import("../core/payload.js").Step} step
 * @param {number} at
 * @param {boolean} asks whether the model can be asked to go on with another token
 */
function chosen(scene, step, at, asks) {
  const parts = at >= 0 ? [make("span", { class: "xv-count" }, `${at + 1} of ${scene.main.sheet.steps.length}`)] : [];
  const others = step.alternatives.filter(([, , id]) => id !== step.id).slice(0, OTHERS);
  const rest = others.reduce((left, [, p]) => left - p, 1 - step.p);
  const given = step.forced ? { title: "Given to the model, which gives it this probability" } : { title: "Written" };
  parts.push(choice(isolated(step.token), step.p, "span", { class: "xv-choice xv-written", ...given }));
  for (const [token, p, id] of others) {
    const face = isolated(token, asks ? "xv-token xv-branch" : "xv-token");
    const help = "Go on from here with this token";
    parts.push(
      asks
        ? choice(face, p, "button", { type: "button", class: "xv-choice xv-go-on", "data-id": id, "data-help": help })
        : choice(face, p, "span", { class: "xv-choice" }),
    );
  }
  if (rest >= REST) {
    const title = "All other tokens together";
    parts.push(choice(make("span", {}, "others"), rest, "span", { class: "xv-choice xv-rest", title }));
  }
  return parts;
}

/**
 * A token with its probability, as a number and as a bar; all bars are of one length for 1.
 *
 * @param {HTMLElement} face
 * @param {number} p
 * @param {"button" | "span"} tag
 * @param {Record<string, string | number>} attributes
 */
function choice(face, p, tag, attributes) {
  const filled = make("span", { class: "xv-filled" });
  filled.style.width = `${100 * Math.min(Math.max(p, 0), 1)}%`;
  const bar = make("span", { class: "xv-p", "aria-hidden": "true" }, filled);
  return make(tag, attributes, face, make("span", { class: "xv-number" }, decimals(p)), bar);
}
