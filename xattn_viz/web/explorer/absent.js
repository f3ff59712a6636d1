import { make } from "./core/dom.js";

/**
 * What stands in for a part that a page was saved without, because its trace has no use for it (`web.SELDOM`): no map is
 * over a sound or a picture, nothing is beside this trace, nothing was
 * decoded step by step, a search kept no other output, there is no story. Each has the
 * type of what it stands for.
 */

// Sound.

/** @type {typeof import("./sound/time.js").WHOLE_TIME} */
export const WHOLE_TIME = { from: -1, to: -1 };

/** @type {typeof import("./sound/sound.js").isOverSound} */
export const isOverSound = () => false;

/** @type {typeof import("./sound/sound.js").spokenSpan} */
export const spokenSpan = () => null;

/** @type {typeof import("./sound/sound.js").attendedSpan} */
export const attendedSpan = () => null;

/** @type {typeof import("./sound/player.js").followSpaceBar} */
export const followSpaceBar = () => () => {};

/** @type {typeof import("./sound/player.js").makePlayer} */
export const makePlayer = () => ({
  element: make("audio", { hidden: true }),
  load() {},
  play() {},
  toggle() {},
  seek() {},
  pause() {},
  leave() {},
  ready: false,
  failed: false,
  time: 0,
  running: false,
});

/** @type {typeof import("./sound/soundbar.js").makeSoundBar} */
export const makeSoundBar = () => ({
  element: make("div", { hidden: true }),
  note: make("p", { hidden: true }),
  paint() {},
  tick() {},
});

/** @type {typeof import("./sound/soundmap.js").makeSoundMap} */
export const makeSoundMap = () => missing("sound");

/** @type {typeof import("./sound/soundpaint.js").paintSound} */
export const paintSound = () => missing("sound");

/** @type {typeof import("./sound/soundpaint.js").paintSoundCells} */
export const paintSoundCells = () => missing("sound");

/** @type {typeof import("./sound/sound.js").openSound} */
export const openSound = () => missing("sound");

/** @type {typeof import("./sound/sound.js").seconds} */
export const seconds = () => missing("sound");

/** @type {typeof import("./sound/time.js").followed} */
export const followed = () => missing("sound");

/** @type {typeof import("./sound/time.js").moment} */
export const moment = () => missing("sound");

/** @type {typeof import("./sound/time.js").rangeOf} */
export const rangeOf = () => missing("sound");

/** @type {typeof import("./sound/time.js").reachBoth} */
export const reachBoth = () => missing("sound");

/** @type {typeof import("./sound/time.js").revealed} */
export const revealed = () => missing("sound");

/** @type {typeof import("./sound/time.js").ticks} */
export const ticks = () => missing("sound");

// Pictures.

/** @type {typeof import("./picture/patches.js").patchSide} */
export const patchSide = () => null;

/** @type {typeof import("./picture/patches.js").isOverPicture} */
export const isOverPicture = () => false;

/** @type {typeof import("./picture/patches.js").severalOf} */
export const severalOf = () => [];

/** @type {typeof import("./picture/patches.js").wordClicked} */
export const wordClicked = (_, side, index) => {
  const chosen = side === "row" ? { row: index, column: -1 } : { row: -1, column: index };
  return { ...chosen, checked: null, step: -1 };
};

/** @type {typeof import("./picture/pictures.js").openPictures} */
export const openPictures = () => ({ picture: null, drawn: [], modules: [], noise: () => null });

/** @type {typeof import("./picture/picturecontrols.js").makePictureControls} */
export const makePictureControls = () => ({ element: make("span", { hidden: true }), paint() {} });

/** @type {typeof import("./picture/picturecontrols.js").makeDenoising} */
export const makeDenoising = () => ({ element: make("div", { hidden: true }), paint() {}, stop() {} });

/** @type {typeof import("./picture/region.js").WORD_COLOURS} */
export const WORD_COLOURS = [];

/** @type {typeof import("./picture/picturemap.js").makePictureMap} */
export const makePictureMap = () => missing("picture");

/** @type {typeof import("./picture/region.js").drawPicture} */
export const drawPicture = () => missing("picture");

/** @type {typeof import("./picture/region.js").paintWeights} */
export const paintWeights = () => missing("picture");

/** @type {typeof import("./picture/region.js").paintPictureTile} */
export const paintPictureTile = () => missing("picture");

/** @type {typeof import("./picture/beside.js").restingOn} */
export const restingOn = () => missing("picture");

/** @type {typeof import("./picture/patches.js").largestOnPatches} */
export const largestOnPatches = () => missing("picture");

/** @type {typeof import("./picture/patches.js").patchGrid} */
export const patchGrid = () => missing("picture");

/** @type {typeof import("./picture/patches.js").patchesOf} */
export const patchesOf = () => missing("picture");

/** @type {typeof import("./picture/patches.js").pictureTop} */
export const pictureTop = () => missing("picture");

/** @type {typeof import("./picture/patches.js").regionOf} */
export const regionOf = () => missing("picture");

/** @type {typeof import("./picture/patches.js").regionWords} */
export const regionWords = () => missing("picture");

/** @type {typeof import("./picture/patches.js").wordInFocus} */
export const wordInFocus = () => missing("picture");

// What is shown of some traces only.

/** @type {typeof import("./text/changes.js").makeChanges} */
export const makeChanges = () => ({ element: make("div", { hidden: true }), paint() {} });

/** @type {typeof import("./controls/beams.js").makeBeams} */
export const makeBeams = () => ({ element: make("details", { hidden: true }), paint() {} });

/** @type {typeof import("./controls/stepping.js").makeStepping} */
export const makeStepping = () => ({
  element: make("div", { hidden: true }),
  paint() {},
  follow() {},
  step: () => false,
  stop() {},
});

/** @type {typeof import("./controls/story.js").openStory} */
export const openStory = () => null;

/** @type {typeof import("./controls/story.js").makeStory} */
export const makeStory = () => ({
  element: make("section", { hidden: true }),
  turn: () => false,
  open: () => missing("story"),
  close() {},
  isOpen: false,
  leave() {},
});

/** @type {(part: string) => never} */
export const missing = (part) => {
  throw new Error(`This page was saved without what it needs for a ${part}.`);
};
