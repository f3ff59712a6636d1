import { continues, lastRow, onArrival, remember } from "./arrival.js";
import { makeCheck } from "./check.js";
import { makeControls, makeLegend } from "./controls.js";
import { heightLeft, make, rem } from "./dom.js";
import { makeMap } from "./map.js";
import { makeOverview } from "./overview.js";
import { unpack } from "./payload.js";
import { makePlayer } from "./player.js";
import { makeReadout } from "./readout.js";
import { makeScene } from "./scene.js";
import { makeSentences } from "./sentences.js";
import { makeSoundBar } from "./soundbar.js";
import { initialState, toAddress } from "./state.js";
import { makeStepping } from "./stepping.js";
import { makeTable } from "./table.js";
import { readTheme } from "./theme.js";
import { moved, rangeOf, wholeOf } from "./time.js";

/**
 * The explorer: one trace, everything to see in it. The same script in the app and in an exported page.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./payload.js").Trace} Trace
 * @typedef {(name: string, value: unknown) => void} Tell
 *
 * @typedef {object} Explorer
 * @property {(bytes: Uint8Array, tell: Tell, order: Tell | null) => void} load
 * @property {() => void} leave
 */

/** @type {WeakMap<Element, Explorer>} */
const explorers = new WeakMap();

const STEADY = 48; // pixels: about two lines of text
const TELL_AFTER = 200; // milliseconds: arrow keys run through many heads, address and Python hear of the last

/**
 * Mounts the explorer, or hands new data to the one that is there: called again on every change of data or theme.
 *
 * @param {{data: Uint8Array, parentElement: Element | ShadowRoot, setStateValue?: Tell, setTriggerValue?: Tell}} component
 */
export default function mount({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".xv"));
  let explorer = explorers.get(root);
  if (!explorer) {
    explorer = makeExplorer(root);
    explorers.set(root, explorer);
  }
  explorer.load(data, setStateValue ?? (() => {}), setTriggerValue ?? null);
  return () => {
    explorers.get(root)?.leave();
    explorers.delete(root);
  };
}

/**
 * @param {HTMLElement} root
 * @returns {Explorer}
 */
function makeExplorer(root) {
  /** @type {Trace | null} */
  let trace = null;
  let state = initialState({});
  let tell = /** @type {Tell} */ (() => {});
  /** @type {import("./stepping.js").Proceed | null} */
  let proceed = null;
  let told = "";
  /** @type {number | undefined} */
  let telling;
  let asked = "";
  let lineage = ""; // the first of the traces that grew into this one
  let placed = "";
  let high = 0;

  const player = makePlayer(tick);
  const sound = makeSoundBar(change, player);
  const sentences = makeSentences(change, player);
  const readout = makeReadout();
  const stepping = makeStepping(change, () => proceed);
  const controls = makeControls(change);
  const overview = makeOverview(change);
  const main = makeMap(change, player);
  const second = makeMap(change, player);
  main.name("Chosen map");
  const legend = makeLegend();
  const check = makeCheck(change);
  const table = makeTable();
  const maps = make("div", { class: "xv-maps" }, main.element, second.element);
  const stage = make(
    "div",
    { class: "xv-body" },
    overview.element,
    make("div", { class: "xv-side" }, maps, legend.element),
  );
  const saying = make("div", { class: "xv-saying" }, readout.element, stepping.element);
  const below = [saying, controls.element, stage, check.element, table.element, player.element];
  root.replaceChildren(sound.element, sentences.element, ...below);
  const leaveKeys = hearKeys(root, () => {
    if (!trace?.sound?.audio) return false;
    player.toggle(trace.sound.start);
    return true;
  });

  /** @param {Partial<State>} changes */
  function change(changes) {
    state = { ...state, ...changes };
    // Where rows stand for something else from now on, the newest one is still the one to look at.
    const afresh = ["map", "units", "rows", "special"].some((name) => name in changes);
    if (afresh && trace?.growing) state.row = lastRow(trace, state);
    paint();
    if (!trace) return;
    const passing = Object.keys(changes).every((name) => name === "hover");
    if (passing) return;
    remember(trace, state);
    window.clearTimeout(telling);
    telling = window.setTimeout(report, TELL_AFTER);
  }

  function report() {
    if (!trace) return;
    toAddress(state);
    const { sheet, view } = makeScene(trace, state, readTheme(root, state.colours)).main;
    const selected = { trace: trace.id, kind: sheet.kind, head: view.name, row: state.row, column: state.column };
    if (JSON.stringify(selected) === told) return;
    told = JSON.stringify(selected);
    tell("selected", selected);
  }

  /**
   * The maps keep their height when a line of text above them comes or goes: nothing jumps under the pointer.
   *
   * @param {number} measured
   */
  function steady(measured) {
    const place = [lineage, root.clientWidth, window.innerHeight].join(" ");
    if (place === placed && Math.abs(measured - high) < STEADY) return;
    placed = place;
    high = measured;
  }

  function paint() {
    if (!trace) return;
    const scene = makeScene(trace, state, readTheme(root, state.colours));
    sound.paint(scene);
    steady(heightLeft(root, maps));
    readout.paint(scene);
    stepping.paint(scene);
    controls.paint(scene);
    legend.paint(scene);
    second.element.hidden = !scene.second;
    second.name(scene.compared ? "Map of the other output" : "Pinned map");
    sentences.paint(scene);
    overview.paint(scene, high);
    const side = maps.clientWidth;
    const beside = scene.second && side >= 720 * rem();
    maps.classList.toggle("xv-two", Boolean(beside));
    const each = beside ? (side - 24 * rem()) / 2 : side;
    const tall = high - 28 * rem();
    main.paint(scene, scene.main, each, tall);
    if (scene.second) second.paint(scene, scene.second, each, tall);
    check.paint(scene);
    table.paint(scene);
    Object.assign(root.dataset, {
      kind: scene.main.sheet.kind,
      head: scene.main.view.name,
      row: String(scene.focus.row),
      column: String(scene.focus.column),
      trace: trace.id,
      theme: scene.theme.dark ? "dark" : "light",
      painted: String(Number(root.dataset.painted ?? 0) + 1),
    });
    ask([scene.main, scene.second].find((panel) => panel && !panel.matrix));
  }

  /**
   * Asks Python for the layer of a map that was not sent yet, once.
   *
   * @param {import("./scene.js").Panel | null | undefined} missing
   */
  function ask(missing) {
    if (!missing) {
      asked = "";
      return;
    }
    const { sheet, view } = missing;
    const wanted = { kind: sheet.kind, layer: view.layer ?? sheet.layers[sheet.layers.length - 1] };
    if (JSON.stringify(wanted) !== asked) tell("layer", wanted);
    asked = JSON.stringify(wanted);
  }

  /** The sound has moved on: only what follows it is painted. */
  function tick() {
    for (const part of [sound, sentences, main, second]) part.tick();
    const range = trace?.sound && rangeOf(trace.sound, state);
    if (!range || !player.running || player.time < range.to || state.to <= state.from) return;
    change(
      moved(range, wholeOf(/** @type {import("./sound.js").Sound} */ (trace?.sound), state), range.to - range.from),
    );
  }

  const observer = new ResizeObserver(() => paint());
  observer.observe(root);

  return {
    load(bytes, heard, order) {
      tell = heard;
      proceed = order && ((prefix) => order("continued", prefix));
      const fresh = unpack(bytes, trace);
      if (fresh.id !== trace?.id) {
        if (!continues(trace, fresh)) lineage = fresh.id;
        state = onArrival(trace, fresh, state);
        remember(fresh, state);
        told = "";
        asked = "";
      }
      trace = fresh;
      player.load(fresh.sound);
      paint();
    },
    leave() {
      observer.disconnect();
      player.leave();
      leaveKeys();
      stepping.stop();
      window.clearTimeout(telling);
    },
  };
}

/**
 * The space bar plays and pauses wherever it has no other meaning in the explorer.
 *
 * @param {HTMLElement} root
 * @param {() => boolean} toggle false where there is nothing to play
 * @returns {() => void} stops listening
 */
function hearKeys(root, toggle) {
  const heard = (/** @type {KeyboardEvent} */ event) => {
    const other = event.target instanceof Element && event.target.closest("button, input, select, summary, textarea");
    if (event.key !== " " || other || event.ctrlKey || event.metaKey || event.altKey) return;
    if (!toggle()) return;
    event.preventDefault();
    event.stopPropagation();
  };
  root.addEventListener("keydown", heard, { capture: true });
  return () => root.removeEventListener("keydown", heard, { capture: true });
}
