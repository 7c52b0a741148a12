/** Which case an image belongs to, by the rule that the user chose. */

import { breakhisCase, folderOf } from "./names.js";

const RULES = {
  none: () => "",
  name: (item) => breakhisCase(item.name),
  folder: (item) => folderOf(item.path),
  hand: () => "",
};

/** The rules, with what they are called. */
export const GROUPINGS = { none: "Not grouped", name: "Case in file name", folder: "Folder", hand: "By hand" };

/**
 * Return the case of an image; what the user did by hand counts before any rule.
 *
 * @param {Item} item
 * @param {string} rule - one of `GROUPINGS`.
 * @returns {string} "" where there is none.
 */
export const caseOf = (item, rule) => (rule === "none" ? "" : item.byHand || RULES[rule](item));

/**
 * Divide images by case.
 *
 * @param {Array<Item>} items
 * @param {string} rule
 * @returns {Array<{caseId: string, items: Array<Item>}>} by name; images without a case come last, as the case "".
 */
export function groupsOf(items, rule) {
  const groups = new Map();
  for (const item of items) {
    const caseId = caseOf(item, rule);
    if (!groups.has(caseId)) groups.set(caseId, []);
    groups.get(caseId).push(item);
  }
  const byName = ([one], [other]) => !one - !other || one.localeCompare(other, "en", { numeric: true });
  return [...groups].sort(byName).map(([caseId, members]) => ({ caseId, items: members }));
}
