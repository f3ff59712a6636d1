import { makeBeams } from "./controls/beams.js";
import { makeCheck } from "./controls/check.js";
import { makeControls, makeLegend } from "./controls/controls.js";
import { makeOverview } from "./controls/overview.js";
import { makeStepping } from "./controls/stepping.js";
import { makeStory, openStory } from "./controls/story.js";
import { makeTable } from "./controls/table.js";
import { heightOfTalk, lineAfter, makeTalk } from "./controls/talk.js";
import {
  choices,
  continues,
  countChoices,
  firstPictureView,
  hasChosenSince,
  keepState,
  lastRow,
  onArrival,
} from "./core/arrival.js";
import { readTheme } from "./core/colours.js";
import { heightLeft, make, rem } from "./core/dom.js";
import { followHelp, helpInExplorer } from "./core/help.js";
import { makeMessenger } from "./core/messages.js";
import { fitToPaper, makeGrip } from "./core/panes.js";
import { unpack } from "./core/payload.js";
import { makeScene } from "./core/scene.js";
import {
  ACTS,
  addressable,
  fromAddress,
  inAddress,
  initialState,
  NOTHING_CHOSEN,
  toAddress,
  wellFormed,
} from "./core/state.js";
import { isOverPicture } from "./picture/patches.js";
import { makeDenoising } from "./picture/picturecontrols.js";
import { makePictureMap } from "./picture/picturemap.js";
import { followSpaceBar, makePlayer } from "./sound/player.js";
import { isOverSound } from "./sound/sound.js";
import { makeSoundBar } from "./sound/soundbar.js";
import { makeSoundMap } from "./sound/soundmap.js";
import { followed } from "./sound/time.js";
import { makeChanges } from "./text/changes.js";
import { makeGuide } from "./text/guide.js";
import { makeHeatmap } from "./text/heatmap.js";
import { makeReadout } from "./text/readout.js";
import { makeSentences } from "./text/sentences.js";

/**
 * The explorer: one trace, everything to see in it. The same script in the app and in an exported page.
 *
 * @typedef {import("./core/payload.js").Trace} Trace
 * @typedef {import("./core/state.js").State} State
 *
 * @typedef {(name: string, value: unknown) => void} Tell
 *
 * @typedef {object} Explorer
 * @property {(bytes: Uint8Array, tell: Tell, order: Tell | null) => void} load
 * @property {() => void} leave
 */

/** @type {WeakMap<Element, Explorer>} */
const explorers = new WeakMap();

const STEADY = 48; // pixels: about two lines of text
const MAP_TITLE = 24; // pixels at a font size of 16
const TITLE_SLACK = 4;
const BESIDES = 96; // of a window that a large map fills: its legend, and what of the page shows that there is more
const BESIDE = 820; // pixels from which the overview stands beside the map, as in the style sheet
const PANE = 0.29; // of the explorer that the overview takes beside the map, as in the style sheet
const HEAD = 832; // pixels at a font size of 16, beside the overview, from which surprises stand in the line above a map
const SMALL = 250; // pixels at a font size of 16: how high a map is where there are several explorers on a page

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
  const messenger = makeMessenger();
  let isLinked = false; // whether the page's address can say what is shown
  /** @type {import("./controls/stepping.js").Proceed | null} */
  let proceed = null;
  /** @type {((output: number) => void) | null} */
  let show = null;
  /** @type {{prefix: number[], step: number} | null} */
  let branch = null; // where the model was asked to go on with another token, until what it wrote is here
  /** @type {import("./controls/check.js").Open | null} */
  let open = null;
  /** @type {Record<string, string>} */
  let settled = {}; // what was looked at last when the visitor rested, as an address says it
  /** @type {import("./core/colours.js").Theme | null} */
  let theme = null; // as it was painted last
  let lineage = ""; // the first of the traces that grew into this one
  /** @type {import("./core/scene.js").Scene | null} */
  let painted = null;
  let placed = "";
  let high = 0;
  let room = { width: 0, window: 0, maps: 0, overview: 0, title: 0 }; // that is painted for, in pixels

  /** @type {import("./sound/player.js").Player | null} */
  let heard = null;
  const player = makePlayer(() => sounded(player, otherPlayer));
  const otherPlayer = makePlayer(() => sounded(otherPlayer, player)); // of a second sound, beside the first
  const sound = makeSoundBar(change, player);
  const otherSound = makeSoundBar(change, otherPlayer, true);
  const sentences = makeSentences(change, player, otherPlayer);
  const readout = makeReadout();
  const stepping = makeStepping(change, () => proceed);
  const noise = makeDenoising(change);
  const controls = makeControls(
    change,
    () => isLinked,
    () => {
      if (!story.isOpen) selected(); // which makes the address say it
      return window.location.href;
    },
  );
  const guide = makeGuide(change);
  guide.element.append(sentences.unsure);
  const overview = makeOverview(change);
  const main = makeMap(change, () => player);
  const second = makeMap(change, () => (trace?.beside?.hears ? otherPlayer : player));
  main.name("Chosen map");
  const changes = makeChanges(change);
  const legend = makeLegend();
  const beams = makeBeams(() => show);
  const check = makeCheck(change, () => open);
  const table = makeTable();
  const maps = make("div", { class: "xv-maps" }, main.element, second.element);
  const wider = makeGrip("width", "Width of the overview", () => overview.element, paint);
  const higher = makeGrip("height", "Height of the map", () => maps, paint);
  const side = make("div", { class: "xv-side" }, changes.element, maps, higher.element, legend.element, sound.note);
  const stage = make(
    "div",
    { class: "xv-body" },
    controls.element,
    guide.element,
    overview.element,
    wider.element,
    side,
    check.element,
  );
  const linesOfText = make("div", { class: "xv-lines-of-text" }, readout.element, stepping.element, noise.element);
  const below = [linesOfText, stage, beams.element, table.element, player.element]; // the other one is heard where it stands nowhere
  const talk = makeTalk(root, {
    turn: (by) => story.turn(by) || stepping.step(by),
    move: (by) => painted && change(lineAfter(painted, by)),
    aim: () => change({ hover: null }),
    play: () => player.toggle(trace?.sound?.start ?? 0),
    paint,
    keys: [
      ["↓ ↑", "next and last row"],
      ["p", "play the sound, or pause"],
    ],
  });
  const story = makeStory(showSlide);
  controls.element.append(talk.button);
  const parts = [story.element, sound.element, otherSound.element, sentences.element, ...below, ...talk.parts];
  const leavePaper = fitToPaper(maps);
  const leaveHelp = followHelp(root, root, helpInExplorer);
  const leaveKeys = followSpaceBar(root, player, () => trace?.sound?.start ?? 0);
  root.addEventListener("keydown", stepping.follow);

  function attach() {
    if (parts[0].parentNode !== root) root.replaceChildren(...parts);
  }

  /** @param {Partial<State>} changes */
  function change(changes) {
    state = { ...state, ...changes };
    // Where rows stand for something else from now on, the newest one is still the one to look at.
    const afresh = ["map", "units", "rows", "special"].some((name) => name in changes);
    if (afresh && trace?.growing) state.row = lastRow(trace, state);
    paint();
    if (!trace) return;
    const passing = Object.keys(changes).every((name) => name === "hover");
    if (passing || trace.small || story.isOpen) return; // what a story shows, its slides say
    if (ACTS.some((name) => name in changes)) countChoices(choices() + 1);
    keepState(trace, state);
    messenger.later(selected);
  }

  /**
   * @param {Trace | null} of
   * @param {Record<string, string>} select
   */
  function showSlide(of, select) {
    root.classList.toggle("xv-no-slide", !of);
    if (trace !== of) loadSounds(of);
    trace = of;
    lineage = of?.id ?? "";
    state = initialState(select);
    if (select.row === undefined) state.row = -1;
    noise.stop();
    stepping.stop();
    paint();
  }

  function selected() {
    if (!trace) return null;
    const now = shown(trace);
    toAddress(now, settled);
    settled = now;
    return { trace: trace.id, choices: choices(), ...now };
  }

  /** The visitor went back or forth in the browser's history, and the address says another view of the same trace. */
  function follow() {
    if (!trace || trace.small || story.isOpen) return;
    state = { ...state, ...NOTHING_CHOSEN, ...addressable(fromAddress()) };
    paint();
    keepState(trace, state);
    settled = shown(trace);
    messenger.later(selected);
  }

  /**
   * What is said of a cell under the pointer takes no room of its own, however long it is: the map stays under the
   * pointer.
   *
   * @param {boolean} isPassing whether it is of what the pointer is on, and so soon gone
   */
  function hold(isPassing) {
    const { style } = linesOfText;
    if (!isPassing) style.height = "";
    else if (!style.height) style.height = `${linesOfText.getBoundingClientRect().height}px`;
  }

  /**
   * The maps keep their height when a line of text above them comes or goes.
   *
   * @param {boolean} isSmall whether this is one of several explorers on a page
   */
  function steady(isSmall) {
    const place = [lineage, root.clientWidth, window.innerHeight].join(" ");
    if (place === placed && state.hover) return;
    const measured = isSmall ? SMALL * rem() : heightLeft(maps);
    if (place === placed && Math.abs(measured - high) < STEADY) return;
    placed = place;
    high = measured;
  }

  /**
   * What is shown of a trace, which is what was asked for or the nearest that there is.
   *
   * @param {Trace} of
   */
  function shown(of) {
    const { sheet, view } = makeScene(of, state, theme ?? readTheme(root, state.colours)).main;
    return inAddress({ ...state, map: sheet.kind, head: view.name });
  }

  function paint() {
    if (!trace) return;
    // On a projector that shows colours badly, only how light they are counts.
    const looked = talk.hasContrast ? { ...state, colours: "grey" } : state;
    theme = readTheme(root, looked.colours);
    const width = root.clientWidth;
    const scene = makeScene(trace, looked, theme);
    const oneLine = overview.oneLine(scene, width);
    attach(); // not before: of an empty place a theme is read at once
    painted = scene;
    sound.paint(scene);
    otherSound.paint(scene);
    guide.paint(scene);
    root.classList.toggle("xv-small", trace.small !== null);
    root.dataset.parts = trace.small?.parts.join(" ") ?? "";
    hold(state.hover !== null);
    readout.paint(scene);
    stepping.paint(scene);
    noise.paint(scene);
    controls.paint(scene);
    legend.paint(scene);
    const beside = scene.difference ? null : scene.second;
    second.element.hidden = !beside;
    second.name(scene.compared ? "Map of the other output" : "Pinned map");
    sentences.paint(scene);
    changes.paint(scene);
    main.name(scene.difference ? "Difference of both maps" : "Chosen map");
    main.entitle(scene, scene.shown);
    if (beside) second.entitle(scene, beside);
    const isWide = width >= BESIDE && width - (wider.size || Math.max(PANE * width, oneLine)) >= HEAD * rem();
    guide.place(isWide ? main.element.querySelector(".xv-map-head") : null);
    stage.style.setProperty("--xv-heads", wider.size ? `${wider.size}px` : "");
    stage.style.setProperty("--xv-one-line", `${oneLine}px`);
    if (!talk.isOn) steady(trace.small !== null);
    // Measured together, for a measure after a change has the whole page laid out anew.
    room = measured();
    const { height, most } = heights();
    stage.style.setProperty("--xv-high", `${Math.round(high)}px`);
    if (!talk.isOn) overview.paint(scene, room.overview);
    const isTwo = beside && (talk.isOn || room.maps >= 720 * rem());
    maps.classList.toggle("xv-two", Boolean(isTwo));
    const ofMap = { width: isTwo ? (room.maps - 24 * rem()) / 2 : room.maps, height, most };
    main.paint(scene, scene.shown, ofMap);
    if (beside) second.paint(scene, beside, ofMap);
    for (const grip of talk.isOn ? [] : [wider, higher]) grip.paint();
    beams.paint(scene);
    check.paint(scene);
    table.paint(scene);
    if (!talk.isOn) overview.reveal();
    sentences.connect();
    Object.assign(root.dataset, {
      kind: scene.main.sheet.kind,
      head: scene.main.view.name,
      row: String(scene.focus.row),
      column: String(scene.focus.column),
      trace: trace.id,
      theme: scene.theme.dark ? "dark" : "light",
      painted: String(Number(root.dataset.painted ?? 0) + 1),
    });
    messenger.ask([scene.main, scene.second].find((panel) => panel && !panel.matrix));
  }

  /** The room there is for what is painted, in pixels. */
  function measured() {
    const head = /** @type {HTMLElement | null} */ (maps.querySelector(".xv-map-head"));
    return {
      width: root.clientWidth,
      window: window.innerHeight,
      maps: maps.clientWidth,
      overview: overview.width,
      title: head?.offsetHeight || MAP_TITLE * rem(),
    };
  }

  /** How high a map may be: what is left of the window, and what one may take that is too long for that. */
  function heights() {
    if (talk.isOn) {
      const all = heightOfTalk(root, maps);
      return { height: all, most: all };
    }
    return {
      height: (higher.size || high) - room.title,
      most: (higher.size || room.window - BESIDES * rem()) - room.title,
    };
  }

  /** Whether there is other room than what was painted went by. */
  function hasOtherRoom() {
    const now = measured();
    const isOther = /** @type {(keyof typeof now)[]} */ (Object.keys(now)).some(
      (side) => Math.abs(now[side] - room[side]) > (side === "title" ? TITLE_SLACK : 0),
    );
    return isOther || (!trace?.small && !state.hover && Math.abs(heightLeft(maps) - high) >= STEADY);
  }

  /**
   * A sound has moved on: only what follows it is painted. Where one begins, another one pauses.
   *
   * @param {import("./sound/player.js").Player} one
   * @param {import("./sound/player.js").Player} other
   */
  function sounded(one, other) {
    if (one.running && heard !== one) {
      heard = one;
      other.pause();
    }
    for (const part of [sound, otherSound, sentences, main, second]) part.tick();
    const next = trace?.sound && player.running && followed(trace.sound, state, player.time);
    if (next) change(next);
  }

  /** @param {Trace | null} of */
  function loadSounds(of) {
    player.load(of?.sound ?? null);
    otherPlayer.load((of?.beside?.hears && of.beside.sound) || null);
  }

  // In the app the page says whether a step in the history is one for the explorer.
  for (const event of ["xv-moved", "popstate"]) window.addEventListener(event, followHere);
  /** @param {Event} event */
  function followHere({ type }) {
    if ((type === "xv-moved") === (proceed !== null)) follow();
  }

  function fit() {
    const isPrinted = maps.style.getPropertyValue("zoom") !== ""; // then it keeps the layout that was made to fit
    if (!root.clientWidth || isPrinted) return; // it has no room while another tab takes its place
    if (talk.isOn || hasOtherRoom()) paint();
  }
  const observer = new ResizeObserver(fit);
  observer.observe(root);
  window.addEventListener("resize", fit);

  return {
    load(bytes, receiver, sender) {
      messenger.to(receiver);
      const bundle = openStory(bytes);
      if (bundle) {
        attach();
        story.open(bundle, sender && ((number) => sender("slide", { number })));
        paint();
        if (bundle.talks) talk.enter(false);
        talk.begin();
        return;
      }
      story.close();
      const fresh = unpack(bytes, trace);
      // Of several on a page none has the address, and what one looks at in it is nobody else's.
      const order = fresh.small ? null : sender;
      if (fresh.small) messenger.to(() => {});
      isLinked = order !== null;
      const elsewhere =
        order === null || fresh.final
          ? null
          : (/** @type {object} */ asked) =>
              order("continued", { ...asked, choices: choices(), ...(trace && shown(trace)) });
      proceed =
        elsewhere &&
        ((prefix) => {
          branch = { prefix, step: state.step };
          elsewhere({ prefix });
        });
      show = elsewhere && ((hypothesis) => elsewhere({ hypothesis }));
      open =
        order &&
        ((cell) => {
          messenger.stop(); // another page is about to come
          order("opened", { trace: trace?.id, ...cell });
        });
      const isAsked = order !== null && JSON.stringify(fresh.select) !== JSON.stringify(trace?.select);
      if (fresh.small) {
        if (fresh.id !== trace?.id) state = firstOfSmall(fresh);
      } else if (fresh.id !== trace?.id || isAsked) {
        if (!continues(trace, fresh)) lineage = fresh.id;
        const hasChosen = order !== null && hasChosenSince(trace, fresh);
        countChoices(Number(fresh.select.choices ?? 0));
        state = onArrival(trace, fresh, state, order !== null, hasChosen);
        if (!fresh.growing) {
          if (branch?.prefix.every((id, i) => fresh.steps[i]?.id === id)) state = { ...state, step: branch.step };
          branch = null;
        }
        keepState(fresh, state);
        settled = shown(fresh);
        if (hasChosen && !fresh.growing) toAddress(settled, settled);
        const expected = inAddress(initialState(fresh.select));
        const chosen = fresh.growing ? expected : settled;
        const told = { trace: fresh.id, choices: choices() };
        messenger.newTrace({ ...told, ...expected }, { ...told, ...chosen });
      }
      trace = fresh;
      loadSounds(fresh);
      paint();
      talk.begin();
    },
    leave() {
      observer.disconnect();
      window.removeEventListener("resize", fit);
      for (const event of ["xv-moved", "popstate"]) window.removeEventListener(event, followHere);
      player.leave();
      otherPlayer.leave();
      leaveKeys();
      root.removeEventListener("keydown", stepping.follow);
      leavePaper();
      leaveHelp();
      stepping.stop();
      noise.stop();
      messenger.stop();
      talk.stop();
      story.leave();
    },
  };
}

/**
 * @param {Trace} fresh
 * @returns {State}
 */
function firstOfSmall(fresh) {
  const view = { ...initialState(fresh.select), ...fresh.small?.state };
  return fresh.picture ? firstPictureView(null, fresh, view, wellFormed(fresh.select)) : view;
}

/**
 * One map, large: between tokens, over sound, or over a picture.
 *
 * @param {import("./core/scene.js").Change} change
 * @param {() => import("./sound/player.js").Player} playing
 */
export function makeMap(change, playing) {
  const tokens = makeHeatmap(change);
  /** @type {ReturnType<typeof makeSoundMap> | null} */
  let sound = null;
  /** @type {ReturnType<typeof makePictureMap> | null} */
  let picture = null;
  let named = "";
  const element = make("div", { class: "xv-place" }, tokens.element);

  /** @param {import("./core/scene.js").Panel} panel */
  function mapOf(panel) {
    if (isOverSound(panel)) {
      sound ??= makeSoundMap(change, playing);
      return sound;
    }
    if (!isOverPicture(panel)) return tokens;
    picture ??= makePictureMap(change);
    return picture;
  }

  /**
   * Says what the map is, before the room for it is measured.
   *
   * @param {import("./core/scene.js").Scene} scene
   * @param {import("./core/scene.js").Panel} panel
   */
  function entitle(scene, panel) {
    const map = mapOf(panel);
    map.name(named);
    if (map.element.parentNode !== element) element.replaceChildren(map.element);
    map.entitle(scene, panel);
  }

  /**
   * @param {import("./core/scene.js").Scene} scene
   * @param {import("./core/scene.js").Panel} panel
   * @param {import("./core/mapframe.js").Room} room
   */
  function paint(scene, panel, room) {
    mapOf(panel).paint(scene, panel, room);
  }
  return {
    element,
    entitle,
    paint,
    tick: () => sound?.cursor(),
    /** @param {string} said */
    name(said) {
      named = said;
    },
  };
}
