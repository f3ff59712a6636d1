import { isolated, make, makeSvg } from "../explorer/core/dom.js";

/**
 * Curves over two axes, each with a colour and a mark of its own, and their names above them.
 *
 * @typedef {object} Curve
 * @property {string} name
 * @property {number[]} xs
 * @property {number[]} ys
 * @property {boolean} dashed
 *
 * @typedef {object} Curves
 * @property {"curves"} kind
 * @property {string} label
 * @property {string} x what the horizontal axis is
 * @property {string} y
 * @property {Curve[]} curves
 *
 * @typedef {{low: number, high: number, step: number}} Ends of an axis, and the distance of its ticks
 */

const HIGH = 320;
const INSET = { left: 64, right: 16, top: 12, bottom: 52 };
// What a point is marked with, around its middle: curves differ where colours do not.
const MARKS = ["M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", "M-4 -4h8v8h-8z", "M0 -5l5 9h-10z", "M0 -5l5 5l-5 5l-5 -5z"];

/**
 * @param {Curves} data
 * @param {HTMLElement} place
 * @returns {() => void} what ends it
 */
export function drawCurves(data, place) {
  place.className = "xv-curves";
  const names = data.curves.map((curve, i) => {
    const sample = makeSvg("svg", { viewBox: "-18 -8 36 16", width: 36, height: 16, "aria-hidden": "true" });
    sample.append(
      ...lineOf(
        curve,
        i,
        [
          [-18, 0],
          [0, 0],
          [18, 0],
        ].slice(0, 3),
        [1],
      ),
    );
    return make("span", { class: "xv-curve-name" }, sample, isolated(curve.name));
  });
  const picture = makeSvg("svg", { role: "img", "aria-label": data.label });
  place.replaceChildren(make("div", { class: "xv-curve-names" }, ...names), picture);
  const fit = () => paintCurves(picture, data, Math.max(place.clientWidth, 240));
  const observer = new ResizeObserver(fit);
  observer.observe(place);
  fit();
  return () => observer.disconnect();
}

/**
 * @param {SVGElement} picture
 * @param {Curves} data
 * @param {number} width
 */
function paintCurves(picture, data, width) {
  const across = endsOf(data.curves.flatMap(({ xs }) => xs));
  const up = endsOf(data.curves.flatMap(({ ys }) => ys));
  const right = width - INSET.right;
  const bottom = HIGH - INSET.bottom;
  const placeX = (/** @type {number} */ x) =>
    INSET.left + ((x - across.low) / (across.high - across.low)) * (right - INSET.left);
  const placeY = (/** @type {number} */ y) => bottom - ((y - up.low) / (up.high - up.low)) * (bottom - INSET.top);
  for (const [name, value] of Object.entries({ width, height: HIGH, viewBox: `0 0 ${width} ${HIGH}` })) {
    picture.setAttribute(name, String(value));
  }
  const axes = [
    ...ticksOf(across).flatMap((x) => [
      makeSvg("path", { class: "xv-rule", d: `M${placeX(x)} ${INSET.top}V${bottom}` }),
      axisText(tickText(x, across), { x: placeX(x), y: bottom + 18, "text-anchor": "middle" }),
    ]),
    ...ticksOf(up).flatMap((y) => [
      makeSvg("path", { class: "xv-rule", d: `M${INSET.left} ${placeY(y)}H${right}` }),
      axisText(tickText(y, up), { x: INSET.left - 8, y: placeY(y) + 4, "text-anchor": "end" }),
    ]),
    axisText(data.x, { x: (INSET.left + right) / 2, y: HIGH - 8, "text-anchor": "middle" }),
    axisText(data.y, { transform: `translate(14 ${(INSET.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }),
  ];
  const lines = data.curves.flatMap((curve, i) => {
    const points = curve.xs.map((x, at) => [placeX(x), placeY(curve.ys[at])]);
    const said = curve.xs.map(
      (x, at) => `${curve.name}: ${tickText(curve.ys[at], { ...up, step: 0.01 })} at ${Math.round(100 * x)}%`,
    );
    return lineOf(curve, i, points, [...points.keys()], said);
  });
  picture.replaceChildren(...axes, ...lines);
}

/**
 * @param {Curve} curve
 * @param {number} number which of the curves it is
 * @param {number[][]} points
 * @param {number[]} marked the points with a mark
 * @param {string[]} [said] what each point says where a pointer rests on it
 */
function lineOf({ dashed }, number, points, marked, said = []) {
  const name = dashed ? "xv-curve xv-dashed" : `xv-curve xv-curve-${number % MARKS.length}`;
  const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
  const marks = dashed ? [] : marked;
  return [
    makeSvg("path", { class: name, d }),
    ...marks.map((at) => {
      const [x, y] = points[at];
      const mark = makeSvg("path", {
        class: `${name} xv-point`,
        d: MARKS[number % MARKS.length],
        transform: `translate(${x} ${y})`,
      });
      if (said[at]) mark.append(makeSvg("title", {}, said[at]));
      return mark;
    }),
  ];
}

/**
 * Round numbers around some values.
 *
 * @param {number[]} values
 * @returns {Ends}
 */
function endsOf(values) {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const rough = (most - least || 1) / 5;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * size).find((each) => each >= rough) ?? rough;
  const low = Math.floor(least / step + 1e-9) * step;
  return { low, high: Math.max(Math.ceil(most / step - 1e-9) * step, low + step), step };
}

/** @param {Ends} ends */
function ticksOf({ low, high, step }) {
  return Array.from({ length: Math.round((high - low) / step) + 1 }, (_, i) => low + i * step);
}

/**
 * @param {number} value
 * @param {Ends} ends
 */
function tickText(value, { step }) {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return value
    .toFixed(digits)
    .replace(/^-(?=0\.?0*$)/, "")
    .replace("-", "\u2212");
}

/**
 * @param {string} said
 * @param {Record<string, string | number>} attributes
 */
function axisText(said, attributes) {
  return makeSvg("text", { class: "xv-said", ...attributes }, said);
}
