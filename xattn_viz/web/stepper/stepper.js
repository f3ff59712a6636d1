import { makeTalk } from "../explorer/controls/talk.js";
import { mixed, rgbOf } from "../explorer/core/colours.js";
import { around, make, makeLeaving } from "../explorer/core/dom.js";
import { explained } from "./arithmetic.js";
import { followDrag, openEditor } from "./editing.js";
import { makeFormula } from "./formula.js";
import { makeModel, messageOf, sourcesOf } from "./model.js";
import { makePlate } from "./plate.js";
import { fitCells, makeGround, ownPlates, products, realPlates } from "./plates.js";

/**
 * Each step of a layer as a matrix that can be clicked, its inputs to be changed; Python is told afterwards.
 *
 * @typedef {import("./model.js").Cell} Cell
 * @typedef {import("./model.js").OwnData} OwnData
 * @typedef {import("./model.js").RealData} RealData
 *
 * @typedef {(name: string, value: unknown) => void} Tell
 * @typedef {{load: (data: OwnData | RealData, tell: Tell) => void, leave: () => void}} Stepper
 */

const PATIENCE = 150; // milliseconds until Python is told of the last of many changes

/** @type {WeakMap<Element, Stepper>} */
const steppers = new WeakMap();

/**
 * Mounts the component, or hands new data to the one that is there: called again on every change of data or theme.
 *
 * @param {{data: OwnData | RealData, parentElement: Element | ShadowRoot, setStateValue?: Tell}} component
 */
export default function mount({ data, parentElement, setStateValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".xv"));
  const stepper = steppers.get(root) ?? makeStepper(root);
  steppers.set(root, stepper);
  stepper.load(data, setStateValue ?? (() => {}));
  return () => {
    steppers.get(root)?.leave();
    steppers.delete(root);
  };
}

/**
 * @param {HTMLElement} root
 * @returns {Stepper}
 */
function makeStepper(root) {
  /** @type {OwnData | RealData | null} */
  let data = null;
  let head = 0;
  /** @type {Cell} */
  let chosen = { plate: "scores", row: 0, column: 0 };
  /** @type {Tell} */
  let tell = () => {};
  const isLeaving = makeLeaving();
  let lastSent = "";
  /** @type {import("./plates.js").Plate[]} */
  let shown = []; // the matrices as they were painted last
  let timer = 0;

  const formula = makeFormula();
  const heads = makeHeadSwitch((wanted) => {
    head = wanted;
    paint();
  });
  const said = make("p", { class: "xv-said" });
  const sum = make("p", { class: "xv-sum" });
  const explanation = make("div", { class: "xv-explanation", "aria-live": "polite" }, said, sum);
  const ground = makeGround();
  const talk = makeTalk(root, {
    turn,
    move,
    aim: () => {},
    play: () => {},
    paint: repaint,
    keys: [["↓ ↑", "next and last number"]],
  });
  const switches = make("div", { class: "xv-switches" }, heads.element, talk.button);
  const top = make("div", { class: "xv-top" }, formula.element, switches);
  root.classList.add("xv-stepper");
  root.replaceChildren(top, explanation, ground.element, ...talk.parts);

  /** @type {Map<string, ReturnType<typeof makePlate>>} */
  const plates = new Map();
  const hooks = { choose, click, edit, press };

  /**
   * From product to product, in the order of the computation; the last one stays.
   *
   * @param {number} by
   */
  function turn(by) {
    if (!data) return false;
    const all = Object.keys(products(makeModel(data, head)));
    const at = all.indexOf(chosen.plate);
    choose({ ...chosen, plate: all[Math.min(Math.max(at + by, 0), all.length - 1)] });
    return true;
  }

  /**
   * From number to number of the matrix that is looked at.
   *
   * @param {number} by
   */
  function move(by) {
    const size = shown.find((plate) => plate.id === chosen.plate)?.values;
    if (!size) return;
    const to = Math.min(
      Math.max(chosen.row * size[0].length + chosen.column + by, 0),
      size.length * size[0].length - 1,
    );
    choose({ ...chosen, row: Math.floor(to / size[0].length), column: to % size[0].length });
  }

  /**
   * In a talk nothing is dragged or typed, and what is clicked is looked at.
   *
   * @param {Cell} cell
   */
  function click(cell) {
    if (talk.isOn) choose(cell);
  }

  /** A talk begins, ends or looks otherwise: what is not among the products, an input, makes way for the first. */
  function repaint() {
    if (talk.isOn && data && !products(makeModel(data, head))[chosen.plate]) turn(1);
    else paint();
  }

  /** @param {Cell} cell */
  function choose(cell) {
    chosen = cell;
    const model = data && makeModel(data, head);
    if (model?.kind === "own" && cell.plate === "heads") head = Math.floor(cell.column / model.width);
    paint();
  }

  /** @param {Cell} cell */
  function inputOf(cell) {
    if (data?.kind !== "own") return null;
    const own = data;
    const model = makeModel(own, head);
    const offset = model.kind === "own" && ["w_q", "w_k", "w_v"].includes(cell.plate) ? model.head * model.width : 0;
    const name = /** @type {import("./model.js").InputName} */ (cell.plate);
    const column = cell.column + offset;
    const changed = (/** @type {number} */ value) => {
      const rows = own.inputs[name].map((row) => [...row]);
      rows[cell.row][column] = value;
      own.inputs = { ...own.inputs, [name]: rows };
      paint();
      later();
    };
    return { value: own.inputs[name]?.[cell.row]?.[column], largest: own.largest, changed, settled: inform };
  }

  /**
   * @param {Cell} cell
   * @param {HTMLElement} td
   * @param {string} typed
   */
  function edit(cell, td, typed) {
    const input = inputOf(cell);
    const name = `${cell.plate}, row ${cell.row + 1}, column ${cell.column + 1}`;
    if (input) openEditor(td, { ...input, name, typed });
  }

  /**
   * @param {Cell} cell
   * @param {HTMLElement} td
   * @param {PointerEvent} event
   */
  function press(cell, td, event) {
    if (event.button !== 0) return;
    choose(cell);
    const input = td.closest(".xv-input") && inputOf(cell);
    if (input) followDrag(td, event, { ...input, clicked: () => edit(cell, td, "") });
  }

  function inform() {
    clearTimeout(timer);
    if (isLeaving()) return later();
    const model = data && makeModel(data, head);
    if (model?.kind !== "own") return;
    const message = messageOf(model);
    const text = JSON.stringify(message);
    if (text !== lastSent) tell("setting", message);
    lastSent = text;
  }

  /** Tell Python, once there is quiet, of what it has not heard. */
  function later() {
    clearTimeout(timer);
    timer = window.setTimeout(inform, PATIENCE);
  }

  function paint() {
    if (!data) return;
    const model = makeModel(data, head);
    root.classList.toggle("xv-real", model.kind === "real");
    const list = model.kind === "own" ? ownPlates(model) : realPlates(model);
    shown = list;
    const there = list.find((plate) => plate.id === chosen.plate) ?? list[0];
    chosen = {
      plate: there.id,
      row: Math.min(chosen.row, there.values.length - 1),
      column: Math.min(chosen.column, there.values[0].length - 1),
    };
    const style = getComputedStyle(root);
    const bare = rgbOf(style.backgroundColor);
    const tint = (/** @type {string} */ name) => mixed(bare, rgbOf(style.getPropertyValue(name).trim()), 0.85);
    const look = { ground: bare, positive: tint("--xv-positive"), negative: tint("--xv-negative") };
    const bands = sourcesOf(model, chosen);
    for (const plate of list) {
      const made = plates.get(plate.id) ?? makePlate(hooks);
      plates.set(plate.id, made);
      made.paint(plate, look, bands, chosen);
    }
    const element = (/** @type {string} */ id) => /** @type {HTMLElement} */ (plates.get(id)?.element);
    ground.paint(model, element, talk.isOn ? chosen.plate : "");
    formula.paint(model, chosen.plate);
    heads.paint(model);
    const text = explained(model, chosen);
    said.replaceChildren(...text.said);
    sum.textContent = text.sum;
    fitCells(root, model);
    root.dataset.painted = String(Number(root.dataset.painted ?? 0) + 1);
  }

  const observer = new ResizeObserver(() => paint());
  observer.observe(root);
  // What comes above it later moves it down, and makes what it lies in higher.
  const pushed = new ResizeObserver(() => {
    if (root.getBoundingClientRect().top > Number(root.dataset.begins)) paint();
  });
  for (const each of around(root)) pushed.observe(each);

  return {
    load(fresh, receiver) {
      tell = receiver;
      if (fresh.id !== data?.id) {
        clearTimeout(timer);
        if (fresh.kind !== data?.kind || fresh.kind === "real") plates.clear();
        if (fresh.kind === "real") chosen = { plate: "weights", row: fresh.row, column: fresh.column };
        data = structuredClone(fresh);
      } else if (data.kind === "own" && fresh.kind === "own") data.switches = fresh.switches;
      paint();
      later();
      talk.begin();
    },
    leave() {
      talk.stop();
      observer.disconnect();
      pushed.disconnect();
      clearTimeout(timer);
    },
  };
}

/**
 * Which head is shown, where there are several.
 *
 * @param {(head: number) => void} chosen
 */
export function makeHeadSwitch(chosen) {
  const help = "Which head’s matrices are shown: each has a part of the width to itself.";
  const element = make("div", { class: "xv-switch", role: "group", "aria-label": "Head", "data-help": help });

  /** @param {import("./model.js").Model} model */
  function paint(model) {
    const count = model.kind === "own" ? model.switches.n_heads : 1;
    element.hidden = count < 2;
    if (element.childElementCount !== count) element.replaceChildren(...Array.from({ length: count }, makeFace));
    if (model.kind !== "own") return;
    for (const [i, face] of [...element.children].entries())
      face.setAttribute("aria-pressed", String(i === model.head));
  }

  /**
   * @param {unknown} _
   * @param {number} i
   */
  function makeFace(_, i) {
    const face = make("button", { type: "button", class: "xv-button" }, `Head ${i + 1}`);
    face.addEventListener("click", () => chosen(i));
    return face;
  }
  return { element, paint };
}
