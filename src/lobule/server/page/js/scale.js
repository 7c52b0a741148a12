/** A probability as a place between 0 and 1, with the threshold. */

import { h } from "./dom.js";
import { probability } from "./format.js";

/**
 * Draw a probability of malignancy.
 *
 * @param {number} value - 0 to 1.
 * @param {number|null} threshold - from which an image is called malignant.
 * @returns {HTMLElement}
 */
export function scale(value, threshold) {
  const said = `Probability of malignancy ${probability(value)}` + (threshold ? `, threshold ${threshold.toFixed(2)}` : "");
  const element = h(
    "div.scale",
    { role: "img", "aria-label": said },
    h("span.filled"),
    threshold ? h("span.threshold", { title: `Threshold ${threshold.toFixed(2)}` }) : null,
    h("span.mark"),
  );
  element.style.setProperty("--value", value);
  if (threshold) element.style.setProperty("--threshold", threshold);
  return element;
}

/**
 * Draw the probabilities of subtypes as bars.
 *
 * @param {object} probabilities - by subtype.
 * @param {number} most - how many are shown, the most probable first; all of them keep their own order.
 * @returns {HTMLElement}
 */
export function subtypeBars(probabilities, most = Infinity) {
  let entries = Object.entries(probabilities);
  const best = Math.max(...Object.values(probabilities));
  if (entries.length > most) entries = entries.sort(([, one], [, other]) => other - one).slice(0, most);
  return h("ul.bars", { "aria-label": "Probability of each subtype" }, entries.map(([name, value]) => bar(name, value, value === best)));
}

function bar(name, value, isBest) {
  const element = h("li", { class: isBest ? "best" : null }, h("span.name", {}, name.replaceAll("_", " ")), h("span.track", { "aria-hidden": "true" }, h("span.filled")), h("span.value", {}, probability(value)));
  element.style.setProperty("--value", value);
  return element;
}
