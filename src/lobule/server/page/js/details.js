/** Everything that is known of one image, in words and numbers. */

import { h } from "./dom.js";
import { megabytes, probability } from "./format.js";
import { scale, subtypeBars } from "./scale.js";
import { verdictBadge } from "./verdict.js";
import { fullCaveatOf, labelSetOf, MEANINGS, promiseOf, reasonOf } from "./words.js";

/**
 * Say what the model thinks, and how sure it is.
 *
 * @param {Item} item - with an answer.
 * @param {object|null} model - as the server describes it.
 * @returns {Array<HTMLElement>}
 */
export function verdictParts({ answer }, model) {
  const verdict = h("section", {}, verdictBadge(answer.verdict, "p"), h("p", {}, reasonOf(answer) || MEANINGS[answer.verdict]));
  return isRefused(answer) ? [verdict] : [verdict, probabilityPart(answer, model)];
}

/**
 * Tell everything else: subtypes and what is kept for the record. The numbers of a refused image are folded away.
 *
 * @param {Item} item - with an answer.
 * @param {object|null} model - as the server describes it.
 * @returns {Array<HTMLElement>}
 */
export function furtherParts(item, model) {
  const { answer } = item;
  const subtypes = answer.prob_subtype && subtypePart(answer);
  const folded = () => h("details", {}, h("summary", {}, "Numbers that mean nothing for a refused image"), probabilityPart(answer, model), subtypes);
  return [isRefused(answer) ? folded() : subtypes, technicalPart(item)];
}

const isRefused = (answer) => answer.verdict === "not assessable";

function probabilityPart(answer, model) {
  const threshold = model?.threshold ?? null;
  return h(
    "section",
    {},
    h("h3", {}, "Probability of malignancy"),
    h("p.number.large", {}, h("span.value", {}, probability(answer.prob_malignant)), threshold && h("span.quiet", {}, `threshold ${threshold.toFixed(2)}`)),
    scale(answer.prob_malignant, threshold),
    h("p.fine", {}, fullCaveatOf(model)),
    h("dl.facts", {}, h("dt", {}, "Labels that fit"), h("dd", {}, labelSetOf(answer))),
    h("p.fine", {}, promiseOf(model)),
  );
}

function subtypePart(answer) {
  return h(
    "section",
    {},
    h("h3", {}, "Subtype"),
    subtypeBars(answer.prob_subtype),
    h("p.fine", {}, "Told by a head of its own, far less surely than benign or malignant; the first four are benign."),
  );
}

function technicalPart({ answer, file, path, modelId }) {
  const facts = [
    ["File", `${path}, ${megabytes(file.size)}`],
    ["Pixels", `${answer.width} × ${answer.height}`],
    ["Novelty", typeof answer.novelty === "number" ? `${answer.novelty.toFixed(3)} (refused above 1)` : "not measured by this model"],
    ["Log-odds", answer.logit_malignant.toFixed(4)],
    ["Digest of pixels", h("code", {}, answer.image_sha256)],
    ["Model", h("code", {}, modelId)],
  ];
  return h("details.technical", {}, h("summary", {}, "For the record"), h("dl.facts.stacked", {}, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])));
}
