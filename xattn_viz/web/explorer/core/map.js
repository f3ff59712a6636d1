import { makePictureMap } from "../picture/picturemap.js";
import { isSeen } from "../picture/seen.js";
import { makeSoundMap } from "../sound/soundmap.js";
import { isHeard } from "../sound/spoken.js";
import { makeHeatmap } from "../text/heatmap.js";
import { make } from "./dom.js";

/**
 * One map, large: between tokens, over sound, or over a picture.
 *
 * @param {import("./scene.js").Change} change
 * @param {import("../sound/player.js").Player} player
 */
export function makeMap(change, player) {
  const tokens = makeHeatmap(change);
  /** @type {ReturnType<typeof makeSoundMap> | null} */
  let sound = null;
  /** @type {ReturnType<typeof makePictureMap> | null} */
  let picture = null;
  let named = "";
  const element = make("div", { class: "xv-place" }, tokens.element);

  /** @param {import("./scene.js").Panel} panel */
  function mapOf(panel) {
    if (isHeard(panel)) {
      sound ??= makeSoundMap(change, player);
      return sound;
    }
    if (!isSeen(panel)) return tokens;
    picture ??= makePictureMap(change);
    return picture;
  }

  /**
   * @param {import("./scene.js").Scene} scene
   * @param {import("./scene.js").Panel} panel
   * @param {number} width
   * @param {number} height
   */
  function paint(scene, panel, width, height) {
    const map = mapOf(panel);
    map.name(named);
    if (!map.element.isConnected) element.replaceChildren(map.element);
    map.paint(scene, panel, width, height);
  }
  return {
    element,
    paint,
    tick: () => sound?.cursor(),
    /** @param {string} said */
    name(said) {
      named = said;
    },
  };
}
