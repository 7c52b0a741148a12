/** Which images are shown, and in which order. */

import { kindOf } from "./collection.js";
import { caseOf } from "./grouping.js";
import { VERDICTS } from "./words.js";

/** What can be sorted by: its title, and the value of an image; null has no value and comes last. */
export const SORTS = {
  added: { title: "Order added", value: (item) => item.id },
  name: { title: "Name", value: (item) => item.name },
  verdict: { title: "Verdict", value: (item) => (item.answer ? VERDICTS.indexOf(item.answer.verdict) : null) },
  probability: { title: "Probability", value: (item) => item.answer?.prob_malignant ?? null },
  subtype: { title: "Subtype", value: (item) => item.answer?.subtype ?? null },
  subtypeProbability: { title: "Subtype probability", value: (item) => ofSubtype(item.answer) },
  novelty: { title: "Novelty", value: (item) => item.answer?.novelty ?? null },
  case: { title: "Case", value: (item, rule) => caseOf(item, rule) || null },
};

/** The probability of the most probable subtype, or null. */
export const ofSubtype = (answer) => answer?.prob_subtype?.[answer.subtype] ?? null;

/**
 * Return the images to show, in order.
 *
 * @param {Array<Item>} items
 * @param {ViewState} state
 * @returns {Array<Item>}
 */
export function shown(items, state) {
  const { value } = SORTS[state.sort];
  const sign = state.descending ? -1 : 1;
  const chosen = items.filter((item) => state.filter === "all" || kindOf(item) === state.filter);
  const valued = chosen.map((item) => ({ item, value: value(item, state.grouping) }));
  valued.sort((one, other) => nullsLast(one, other) ?? (sign * compare(one.value, other.value) || one.item.id - other.item.id));
  return valued.map(({ item }) => item);
}

function nullsLast(one, other) {
  if (one.value === null && other.value === null) return one.item.id - other.item.id;
  if (one.value === null) return 1;
  return other.value === null ? -1 : null;
}

function compare(one, other) {
  return typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
}
