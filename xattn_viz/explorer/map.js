import { make } from "./dom.js";
import { makeHeatmap } from "./heatmap.js";
import { makeSoundMap } from "./soundmap.js";
import { isHeard } from "./spoken.js";

/**
 * One map, large: between tokens, or over sound.
 *
 * @param {import("./scene.js").Change} change
 * @param {import("./player.js").Player} player
 */
export function makeMap(change, player) {
  const tokens = makeHeatmap(change);
  /** @type {ReturnType<typeof makeSoundMap> | null} */
  let sound = null;
  let named = "";
  const element = make("div", { class: "xv-place" }, tokens.element);

  /**
   * @param {import("./scene.js").Scene} scene
   * @param {import("./scene.js").Panel} panel
   * @param {number} width
   * @param {number} height
   */
  function paint(scene, panel, width, height) {
    if (isHeard(panel) && !sound) {
      sound = makeSoundMap(change, player);
      sound.name(named);
    }
    const map = isHeard(panel) && sound ? sound : tokens;
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
      tokens.name(said);
      sound?.name(said);
    },
  };
}
