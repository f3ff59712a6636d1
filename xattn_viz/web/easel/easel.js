import { make, makeLeaving } from "../explorer/core/dom.js";
import { makePalette } from "./palette.js";
import { makePaper } from "./paper.js";

/**
 * Paper on which up to three coloured shapes are placed, with the mouse or the keyboard; Python is told of each scene.
 *
 * @typedef {{colour: string, shape: string, x: number, y: number, radius: number}} Thing places are shares of the width
 * @typedef {number | [number, number][]} Outline a circle with a hole of this radius, or corners, in a circle of radius 1
 * @typedef {{things: Thing[], turn: number | null, paper: string, colours: Record<string, string>,
 *   shapes: Record<string, Outline>, sizes: Record<string, number>, most: number}} EaselData
 * @typedef {(name: string, value: unknown) => void} TellOfScene
 * @typedef {{load: (data: EaselData, tell: TellOfScene) => void, leave: () => void}} Easel
 */

const ADD_HELP = "Places what is chosen above, where there is room for it.";
const CLEAR_HELP = "Takes all shapes away.";
const REST = 150; // milliseconds without a change until Python is told of the scene
const GAP = 0.02; // between a thing that is placed by a button and the others
const EDGE = 0.01; // between a thing and the edge of the paper

/** @type {WeakMap<Element, Easel>} */
const easels = new WeakMap();

/**
 * Mounts the component, or hands new data to the one that is there: called again on every change of data or theme.
 *
 * @param {{data: EaselData, parentElement: Element | ShadowRoot, setTriggerValue?: TellOfScene}} component
 */
export default function mount({ data, parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".xv"));
  const easel = easels.get(root) ?? makeEasel(root, data);
  easels.set(root, easel);
  easel.load(data, setTriggerValue ?? (() => {}));
  return () => {
    easels.get(root)?.leave();
    easels.delete(root);
  };
}

/**
 * @param {HTMLElement} root
 * @param {EaselData} data the palette is the same ever after
 * @returns {Easel}
 */
function makeEasel(root, data) {
  /** @type {Thing[]} */
  let things = [];
  let turn = 0;
  let timer = 0;
  /** @type {TellOfScene} */
  let tell = () => {};
  const isLeaving = makeLeaving();

  const palette = makePalette(data);
  const paper = makePaper(data, { place, move, remove });
  const add = make("button", { type: "button", class: "xv-button", "data-help": ADD_HELP }, "Add");
  const clear = make("button", { type: "button", class: "xv-button", "data-help": CLEAR_HELP }, "Clear");
  const remark = make("p", { class: "xv-remark", "aria-live": "polite" });
  root.classList.add("xv-easel");
  root.replaceChildren(paper.element, palette.element, make("div", { class: "xv-acts" }, add, clear), remark);
  add.addEventListener("click", () => {
    const thing = palette.thing(0.5, 0.5);
    const free = freePlace(thing.radius);
    place(free.x, free.y);
  });
  clear.addEventListener("click", () => {
    changed([]);
    say("Click on the paper to place a shape. The map below stays until then.");
  });

  /** @param {string} text */
  function say(text) {
    remark.textContent = text;
  }

  /** @param {Thing[]} wanted */
  function changed(wanted) {
    things = wanted;
    turn++;
    say("");
    paper.paint(things);
    clearTimeout(timer);
    // Blank paper has nothing to caption.
    if (things.length) timer = window.setTimeout(() => isLeaving() || tell("drawn", { things, turn }), REST);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  function place(x, y) {
    if (things.length >= data.most) {
      say("The captioner was trained on one to three things: move one, or remove one with the Delete key first.");
      return;
    }
    changed([...things, within(palette.thing(x, y))]);
    paper.focus(things.length - 1);
  }

  /**
   * @param {number} index
   * @param {number} x
   * @param {number} y
   */
  function move(index, x, y) {
    changed(things.map((thing, i) => (i === index ? within({ ...thing, x, y }) : thing)));
  }

  /** @param {number} index */
  function remove(index) {
    changed(things.filter((_, i) => i !== index));
    paper.focus(Math.min(index, things.length - 1));
    if (!things.length) say("Click on the paper to place a shape.");
  }

  /** The place nearest to the middle of the paper where a thing of this radius touches no other. @param {number} r */
  function freePlace(r) {
    const places = [];
    for (let x = 0; x <= 1; x += 0.05) for (let y = 0; y <= 1; y += 0.05) places.push(within(palette.thing(x, y)));
    const far = (/** @type {{x: number, y: number}} */ p) => Math.hypot(p.x - 0.5, p.y - 0.5);
    places.sort((a, b) => far(a) - far(b));
    const isFree = (/** @type {Thing} */ p) =>
      things.every((other) => Math.hypot(p.x - other.x, p.y - other.y) > r + other.radius + GAP);
    return places.find(isFree) ?? places[0];
  }

  return {
    load(fresh, tellNow) {
      tell = tellNow;
      // What Python was told before the last change here is old.
      if (fresh.turn !== null && fresh.turn < turn) return;
      if (paper.isDragging()) return;
      turn = Math.max(turn, fresh.turn ?? 0);
      if (JSON.stringify(fresh.things) !== JSON.stringify(things)) say("");
      things = fresh.things;
      paper.paint(things);
    },
    leave() {
      clearTimeout(timer);
    },
  };
}

/** A thing moved onto the paper, its place in hundredths. @param {Thing} thing @returns {Thing} */
function within(thing) {
  const low = thing.radius + EDGE;
  const onto = (/** @type {number} */ value) => Math.round(100 * Math.min(Math.max(value, low), 1 - low)) / 100;
  return { ...thing, x: onto(thing.x), y: onto(thing.y) };
}
