/** What a verdict means, in words; the only place where the page speaks for the model. */

import { capital, count, listed, readable } from "./format.js";

/** The verdicts, in the order in which they are listed. */
export const VERDICTS = ["malignant", "benign", "uncertain", "not assessable"];

/** What each verdict means, for a reader who has not seen one yet. */
export const MEANINGS = {
  malignant: "Speaks for a malignant tumour, clearly enough for the model to say so.",
  benign: "Speaks for a benign lesion, clearly enough for the model to say so.",
  uncertain: "Both labels fit, or neither does. The model does not decide.",
  "not assessable": "Unlike what it was trained on: other tissue, blur, no H&E, no tissue. The model refuses.",
};

/** What stands on a verdict's chip: `failed` is the word for files without an answer. */
export const titleOf = (kind) => (kind === "failed" ? "No answer" : capital(kind));

/**
 * Say which labels fit.
 *
 * @param {object} answer - of an image or a case.
 * @returns {string}
 */
export function labelSetOf(answer) {
  const fitting = answer.label_set ?? [];
  if (fitting.length === 2) return "benign and malignant";
  if (fitting.length === 1) return `${fitting[0]} only`;
  return answer.reason?.includes("neither") ? "neither" : "not known";
}

/** Say why a verdict is not simply the label, as a sentence; "" if there is nothing to explain. */
export function reasonOf(answer) {
  const reason = (answer.reason ?? "").replace(/^uncertain: /, "");
  return reason ? `${capital(reason).replace(/\.$/, "")}.` : "";
}

/**
 * Say what a probability of this model rests on, in a few words.
 *
 * @param {object|null} model - as the server describes it.
 * @returns {string}
 */
export function caveatOf(model) {
  if (!model) return "";
  if (!model.operating.calibrated_on) return "Not calibrated: a score, not a chance";
  const { benign_cases: benign, malignant_cases: malignant } = model.operating.image.label_sets;
  return `Calibrated on ${count(benign + malignant, "case")}, ${benign} benign`;
}

/** The same, in full. */
export const fullCaveatOf = (model) =>
  `${caveatOf(model)}, of one collection. With other scanners, stains or patients it can be wrong. It is not a patient’s risk.`;

/** Say what a label set promises. */
export function promiseOf(model) {
  const sets = model?.operating.image.label_sets;
  if (!sets || sets.benign === null || sets.malignant === null) return "Too few cases to say which labels fit: the threshold alone decides.";
  return `Chosen such that the true label is among them for ${Math.round(100 * (1 - sets.alpha))} % of cases, if cases are like those it was calibrated on.`;
}

/** Say how many images had which answer: `2 malignant, 1 benign and 1 without an answer`. */
export function summaryOf(counts) {
  const parts = VERDICTS.filter((verdict) => counts[verdict]).map((verdict) => `${counts[verdict]} ${verdict}`);
  if (counts.failed) parts.push(`${counts.failed} without an answer`);
  return listed(parts);
}

/** `ductal_carcinoma` -> `ductal carcinoma`, and what a model without subtypes has. */
export const subtypeOf = (answer) => (answer.subtype ? readable(answer.subtype) : "");
