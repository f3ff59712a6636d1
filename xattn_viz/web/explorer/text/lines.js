/**
 * Bézier lines between the two sentences: those of the focused token, or all above the threshold. Drawing every line of
 * every token at once would be a grey hairball.
 *
 * @typedef {import("../core/scene.js").Scene} Scene
 * @typedef {{x: number, top: number, bottom: number}} Place
 */

const FAINTEST = 0.03;

/**
 * @param {SVGSVGElement} svg
 * @param {HTMLElement} page what the lines scroll with
 * @param {Scene} scene
 * @param {HTMLElement[]} sources the tokens of the source, by key position
 * @param {HTMLElement[]} outputs the tokens of the output, by query position
 */
export function drawLines(svg, page, scene, sources, outputs) {
  svg.replaceChildren();
  const m = scene.main.matrix;
  // A sentence has many lines of text: a curve from the middle of one says nothing.
  if (!m || scene.state.units === "sentences") return;
  const frame = page.getBoundingClientRect();
  const [above, below] = [sources, outputs].map((tokens) => tokens[0]?.parentElement?.getBoundingClientRect());
  svg.setAttribute("width", String(page.clientWidth));
  svg.setAttribute("height", String(page.clientHeight));
  /** @type {(tokens: HTMLElement[], positions: number[], view: DOMRect | undefined) => Place | null} */
  const placeOf = (tokens, positions, view) => {
    const shown = positions.map((position) => tokens[position]).filter((token) => token && !token.hidden);
    const boxes = shown.flatMap((token) => [...token.getClientRects()]).filter((box) => box.width > 0);
    // A long text scrolls in its own box: no line leads to what is scrolled away.
    if (!boxes.length || !view || boxes[0].bottom > view.bottom + 2 || boxes[0].top < view.top - 2) return null;
    const line = boxes.filter((box) => Math.abs(box.top - boxes[0].top) < 2);
    const left = Math.min(...line.map((box) => box.left));
    const right = Math.max(...line.map((box) => box.right));
    return { x: (left + right) / 2 - frame.left, top: line[0].top - frame.top, bottom: line[0].bottom - frame.top };
  };
  // Measured once each, and only where a line begins or ends.
  const columnPlace = once((c) => placeOf(sources, m.columns[c].positions, above));
  const rowPlace = once((r) => placeOf(outputs, m.rows[r].positions, below));
  /** @type {SVGPathElement[]} */
  const drawn = [];
  const { row, column } = scene.focus;
  const lastRow = scene.state.step >= 0 ? m.rowOf[scene.state.step] : m.rows.length;
  const draw = (/** @type {number} */ r, /** @type {number} */ c) => {
    const value = m.values[r * m.columns.length + c];
    const focused = row >= 0 ? r === row : c === column;
    const wanted = (focused && value >= FAINTEST) || (scene.state.lines && value >= scene.state.threshold);
    if (!wanted || r > lastRow) return;
    const from = columnPlace(c);
    const to = rowPlace(r);
    if (!from || !to) return;
    const middle = (from.bottom + to.top) / 2;
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", `M${from.x} ${from.bottom} C${from.x} ${middle} ${to.x} ${middle} ${to.x} ${to.top}`);
    path.setAttribute("stroke-width", String(1 + 5 * value));
    path.setAttribute("stroke-opacity", String(focused ? 0.35 + 0.65 * value : 0.15 + 0.4 * value));
    path.setAttribute("class", focused ? "xv-line xv-line-focus" : "xv-line");
    drawn.push(path);
  };
  // Only the lines that are wanted are looked for: a long text has hundreds of thousands of cells.
  const rows = scene.state.lines || row < 0 ? m.rows.map((_, r) => r) : [row];
  const columns = scene.state.lines || row >= 0 ? m.columns.map((_, c) => c) : [column];
  if (scene.state.lines || row >= 0 || column >= 0) for (const r of rows) for (const c of columns) draw(r, c);
  svg.append(...drawn);
}

/**
 * @param {(index: number) => Place | null} measure
 * @returns {(index: number) => Place | null}
 */
function once(measure) {
  /** @type {Map<number, Place | null>} */
  const known = new Map();
  return (index) => {
    const place = known.get(index);
    if (place !== undefined) return place;
    const measured = measure(index);
    known.set(index, measured);
    return measured;
  };
}
