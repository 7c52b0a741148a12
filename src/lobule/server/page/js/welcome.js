/** What a user sees before there is any image: what will be said, and by which model. */

import { fill, h } from "./dom.js";
import { count, readable } from "./format.js";
import { icon } from "./icons.js";
import { MEANINGS, titleOf, VERDICTS } from "./words.js";

/** Explain the verdicts. */
export function explainVerdicts(list) {
  fill(list, VERDICTS.map((kind) => h("li", {}, h("span.verdict", { "data-kind": kind }, icon(kind)), h("div", {}, h("strong", {}, titleOf(kind)), h("p", {}, MEANINGS[kind])))));
}

/**
 * Say which model answers.
 *
 * @param {HTMLElement} element
 * @param {object} model - as the server describes it.
 */
export function introduce(element, model) {
  const auroc = model.metrics["binary case auroc"];
  const measured = typeof auroc?.value === "number" ? ` On cases it had not seen, its AUROC was ${auroc.value.toFixed(2)}${typeof auroc.low === "number" ? ` (95 % interval ${auroc.low.toFixed(2)}–${auroc.high.toFixed(2)})` : ""}.` : "";
  fill(element, h("strong", {}, readable(model.name)), ` trained on ${count(model.training.n_images, "image")} of ${count(model.training.n_cases, "case")}.${measured}`);
}
