/**
 * Which stretch of the sound is in view, and how it is zoomed and moved. Times are seconds of the whole recording.
 *
 * @typedef {import("./sound.js").Sound} Sound
 * @typedef {import("./sound.js").Stretch} Stretch
 *
 * @typedef {{from: number, to: number, crop: boolean}} Wanted the part of the state that says what is in view
 */

const SHORTEST_VIEW = 0.2;
const MARGIN = 0.1; // around the speech, where silence is cropped
const TICK_STEPS = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];
export const WHOLE_TIME = { from: -1, to: -1 };

/**
 * All that can be seen: the sound, or without the silence before and behind the speech.
 *
 * @param {Sound} sound
 * @param {{crop: boolean}} state
 * @returns {Stretch}
 */
export function wholeOf({ start, reach, speech }, { crop }) {
  if (!crop || !speech) return { from: start, to: reach };
  return { from: Math.max(start, speech[0] - MARGIN), to: Math.min(reach, speech[1] + MARGIN) };
}

/**
 * A stretch of one sound where it is in another that begins together with it.
 *
 * @param {Stretch} stretch
 * @param {Sound} from
 * @param {Sound} to
 * @returns {Stretch}
 */
export function moment(stretch, from, to) {
  const later = to.start - from.start;
  return { from: stretch.from + later, to: stretch.to + later };
}

/**
 * Two sounds beside each other, each from where it begins: all of the longer one can be seen of both, and the speech of
 * either.
 *
 * @param {Sound} one
 * @param {Sound} other
 * @returns {[Sound, Sound]}
 */
export function reachBoth(one, other) {
  const long = Math.max(one.end - one.start, other.end - other.start);
  const spoken = [one, other].flatMap(({ speech, start }) => (speech ? [speech.map((time) => time - start)] : []));
  const first = Math.min(...spoken.map(([from]) => from));
  const last = Math.max(...spoken.map(([, to]) => to));
  const reaching = (/** @type {Sound} */ sound) => ({
    ...sound,
    reach: sound.start + long,
    speech: /** @type {[number, number] | null} */ (spoken.length ? [sound.start + first, sound.start + last] : null),
  });
  return [reaching(one), reaching(other)];
}

/**
 * What is in view.
 *
 * @param {Sound} sound
 * @param {Wanted} state
 * @returns {Stretch}
 */
export function rangeOf(sound, state) {
  const whole = wholeOf(sound, state);
  return state.to > state.from ? within({ from: state.from, to: state.to }, whole) : whole;
}

/**
 * A stretch inside another one, as long as it was where there is room.
 *
 * @param {Stretch} stretch
 * @param {Stretch} whole
 * @returns {Stretch}
 */
export function within({ from, to }, whole) {
  const length = Math.min(Math.max(to - from, Math.min(SHORTEST_VIEW, whole.to - whole.from)), whole.to - whole.from);
  const begin = Math.min(Math.max(from, whole.from), whole.to - length);
  return { from: begin, to: begin + length };
}

/**
 * Closer to a time, which stays where it is, or farther from it.
 *
 * @param {Stretch} range
 * @param {Stretch} whole
 * @param {number} factor above 1 shows less
 * @param {number} about a time
 * @returns {Stretch} `WHOLE_TIME` where all is in view
 */
export function zoomed(range, whole, factor, about) {
  const length = Math.max((range.to - range.from) / factor, SHORTEST_VIEW);
  if (length >= whole.to - whole.from - 1e-6) return WHOLE_TIME;
  const share = (about - range.from) / (range.to - range.from);
  return within({ from: about - share * length, to: about + (1 - share) * length }, whole);
}

/**
 * Earlier or later by some seconds.
 *
 * @param {Stretch} range
 * @param {Stretch} whole
 * @param {number} by
 * @returns {Stretch}
 */
export function moved(range, whole, by) {
  if (range.to - range.from >= whole.to - whole.from - 1e-6) return WHOLE_TIME;
  return within({ from: range.from + by, to: range.to + by }, whole);
}

/**
 * The view that follows the sound: the next one, once the sound has reached the end of this one.
 *
 * @param {Sound} sound
 * @param {Wanted} state
 * @param {number} at
 * @returns {Stretch | null} null where this one is still right
 */
export function followed(sound, state, at) {
  const range = rangeOf(sound, state);
  if (state.to <= state.from || at < range.to || at > range.to + 0.5) return null;
  const next = moved(range, wholeOf(sound, state), range.to - range.from);
  return next.from > range.from ? next : null;
}

/**
 * The view moved so that a stretch is in it.
 *
 * @param {Sound} sound
 * @param {Wanted} state
 * @param {Stretch} stretch
 * @returns {Partial<Stretch>} nothing where it is in view
 */
export function revealed(sound, state, stretch) {
  const range = rangeOf(sound, state);
  if (state.to <= state.from || (stretch.from >= range.from && stretch.to <= range.to)) return {};
  return moved(range, wholeOf(sound, state), (stretch.from + stretch.to - range.from - range.to) / 2);
}

/**
 * Round times for a ruler, at least `apart` pixels from each other.
 *
 * @param {Stretch} range
 * @param {number} width in pixels
 * @param {number} apart
 * @returns {{time: number, label: string}[]}
 */
export function ticks({ from, to }, width, apart) {
  const least = ((to - from) * apart) / Math.max(width, 1);
  const step = TICK_STEPS.find((each) => each >= least) ?? Math.ceil(least / 60) * 60;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const first = Math.ceil(from / step - 1e-6);
  const count = Math.floor(to / step + 1e-6) - first + 1;
  return Array.from({ length: Math.max(count, 0) }, (_, i) => {
    const time = (first + i) * step;
    return { time, label: time.toFixed(digits) };
  });
}
