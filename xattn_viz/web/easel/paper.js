import { makeSvg } from "../explorer/core/dom.js";
import { makeShape } from "./shape.js";

const SIDE = 100; // units of the drawing along the paper's side
const STEP = 0.02; // how far an arrow key moves a thing
const KEYS = "Arrow keys move it, Delete removes it.";
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * The paper with the things on it: a click places one, a drag or an arrow key moves it, Delete removes it.
 *
 * @param {import("./easel.js").EaselData} data
 * @param {{place: (x: number, y: number) => void, move: (index: number, x: number, y: number) => void,
 *   remove: (index: number) => void}} hooks
 */
export function makePaper(data, hooks) {
  const element = makeSvg("svg", {
    class: "xv-paper",
    viewBox: `0 0 ${SIDE} ${SIDE}`,
    role: "group",
    "aria-label": "Paper",
    "data-help": `Click to place a shape; drag one to move it. ${KEYS}`,
  });
  /** @type {import("./easel.js").Thing[]} */
  let things = [];
  /** @type {SVGElement[]} */
  const drawn = [];
  /** Which thing is dragged, and where it was taken hold of. @type {{index: number, dx: number, dy: number} | null} */
  let held = null;

  /** @param {PointerEvent} event */
  function placeOf(event) {
    const box = element.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  }

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const { x, y } = placeOf(event);
    const index = drawn.findIndex((group) => event.target instanceof Node && group.contains(event.target));
    event.preventDefault();
    if (index < 0) {
      hooks.place(x, y);
      return;
    }
    drawn[index].focus();
    held = { index, dx: things[index].x - x, dy: things[index].y - y };
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    if (!held) return;
    const { x, y } = placeOf(event);
    hooks.move(held.index, x + held.dx, y + held.dy);
  });
  const letGo = () => {
    held = null;
  };
  element.addEventListener("pointerup", letGo);
  element.addEventListener("pointercancel", letGo);
  element.addEventListener("keydown", (event) => {
    const index = drawn.indexOf(/** @type {SVGElement} */ (event.target));
    if (index < 0) return;
    const arrow = ARROWS[event.key];
    if (arrow) hooks.move(index, things[index].x + arrow[0] * STEP, things[index].y + arrow[1] * STEP);
    else if (event.key === "Delete" || event.key === "Backspace") hooks.remove(index);
    else return;
    event.preventDefault();
  });

  /** @param {import("./easel.js").Thing[]} wanted */
  function paint(wanted) {
    things = wanted;
    element.style.background = data.paper;
    while (drawn.length > things.length) drawn.pop()?.remove();
    while (drawn.length < things.length) {
      const group = makeSvg("g", { class: "xv-thing", tabindex: 0, role: "button" });
      drawn.push(group);
      element.append(group);
    }
    things.forEach((thing, index) => {
      paintThing(drawn[index], thing);
    });
  }

  /**
   * @param {SVGElement} group
   * @param {import("./easel.js").Thing} thing
   */
  function paintThing(group, thing) {
    const radius = thing.radius * SIDE;
    const size = Object.entries(data.sizes).find(([, r]) => Math.abs(r - thing.radius) < 0.02)?.[0] ?? "";
    const place = `${Math.round(100 * thing.x)} across, ${Math.round(100 * thing.y)} down`;
    group.setAttribute("aria-label", `${size} ${thing.colour} ${thing.shape}, ${place}. ${KEYS}`.trim());
    group.setAttribute("transform", `translate(${thing.x * SIDE} ${thing.y * SIDE})`);
    const ring = makeSvg("circle", { class: "xv-held", r: radius + 1.5 });
    group.replaceChildren(makeShape(data.shapes[thing.shape], data.colours[thing.colour], data.paper, radius), ring);
  }

  return {
    element,
    paint,
    /** @param {number} index */
    focus: (index) => drawn[index]?.focus(),
    isDragging: () => held !== null,
  };
}
