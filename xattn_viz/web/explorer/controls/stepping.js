import { button, isolated, make } from "../core/dom.js";
import { decimals } from "../core/matrix.js";
import { spokenSpan } from "../sound/sound.js";
import { revealed } from "../sound/time.js";

/**
 * Steps through the decoding: each step writes one token and shows what else the decoder could have written.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 *
 * @typedef {(prefix: number[]) => void} Proceed asks the model to go on behind these token ids
 */

const PACE = 900; // milliseconds a token, slow enough to talk along

/**
 * @param {import("../core/scene.js").Change} change
 * @param {() => Proceed | null} proceeding null where no model is behind the page
 */
export function makeStepping(change, proceeding) {
  const back = button("Back", "◀");
  const play = make("button", { type: "button", class: "xv-button xv-play" });
  const next = button("Next", "▶");
  const all = button("Show all", "All");
  const choices = make("span", { class: "xv-choices" });
  const element = make("div", { class: "xv-stepping", role: "group", "aria-label": "Step through the decoding" });
  element.append(back, play, next, all, choices);
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
  play.addEventListener("click", () => {
    if (timer !== undefined) return pause();
    if ((last?.state.step ?? -1) >= count() - 1) change({ step: -1 });
    timer = window.setInterval(forward, PACE);
    name();
    forward();
    return undefined;
  });
  next.addEventListener("click", () => {
    pause();
    if ((last?.state.step ?? -1) < count() - 1) go((last?.state.step ?? -1) + 1);
  });
  back.addEventListener("click", () => {
    pause();
    go(Math.max((last?.state.step ?? 0) - 1, 0));
  });
  all.addEventListener("click", () => {
    pause();
    change({ step: -1 });
  });

  choices.addEventListener("click", (event) => {
    const pressed = event.target instanceof Element ? event.target.closest("button") : null;
    const proceed = proceeding();
    if (!pressed || !last || !proceed) return;
    const { step } = last.state;
    const before = last.main.sheet.steps.slice(0, step >= 0 ? step : rowStep(last));
    proceed([...before.map(({ id }) => id), Number(pressed.dataset.id)]);
  });

  /** @param {Scene} scene */
  function paint(scene) {
    if (last && last.trace !== scene.trace) pause();
    last = scene;
    element.hidden = count() === 0 || scene.trace.growing;
    const at = scene.state.step;
    back.disabled = at <= 0;
    all.disabled = at < 0;
    next.disabled = at >= count() - 1;
    const step = scene.main.sheet.steps[at >= 0 ? at : rowStep(scene)];
    const look = JSON.stringify([step, at]);
    if (look !== painted) choices.replaceChildren(...(step ? chosen(scene, step, at, Boolean(proceeding())) : []));
    painted = look; // a button that is about to be clicked stays the same one
    choices.dataset.step = String(at);
  }
  return { element, paint, stop: pause };
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
 * @param {Scene} scene
 * @param {import("../core/payload.js").Step} step
 * @param {number} at
 * @param {boolean} asks whether the model can be asked to go on with another token
 * @returns {(Node | string)[]}
 */
function chosen(scene, step, at, asks) {
  const parts = at >= 0 ? [`${at + 1} of ${scene.main.sheet.steps.length}: `] : [];
  const others = step.alternatives.filter(([token]) => token !== step.token).slice(0, 4);
  /** @type {(Node | string)[]} */
  const listed = [...parts, isolated(step.token), ` ${step.forced ? "given, " : ""}p ${decimals(step.p)}`];
  for (const [i, [token, p, id]] of others.entries()) {
    listed.push(i ? ", " : " · or ", asks ? other(token, id) : isolated(token), ` ${decimals(p)}`);
  }
  return listed;
}

/**
 * A token that the model could have written instead, to be clicked.
 *
 * @param {string} token
 * @param {number} id
 */
function other(token, id) {
  const title = "Go on from here with this token";
  return make("button", { type: "button", class: "xv-other", "data-id": id, title }, isolated(token));
}
