/** Results as files. */

import { casesCsv, imagesCsv } from "./csv.js";
import { caseOf } from "./grouping.js";
import { h } from "./dom.js";

const NAME = "lobule-research-use-only";

/**
 * @typedef {object} Session
 * @property {Array<Item>} items - in the order shown.
 * @property {string} grouping - the rule.
 * @property {Array<object>} cases - answers for cases.
 * @property {object|null} model - as the server describes it.
 */

/** What can be downloaded: its title, and how it is made of a session. */
export const DOWNLOADS = {
  csv: { title: "Images as CSV", save: (session) => save(`${NAME}-images.csv`, "text/csv", imagesCsv(session.items, known(session))) },
  cases: { title: "Cases as CSV", save: (session) => save(`${NAME}-cases.csv`, "text/csv", casesCsv(session.cases, known(session))) },
  json: { title: "Everything as JSON", save: (session) => save(`${NAME}.json`, "application/json", asJson(session)) },
};

function asJson({ items, grouping, cases, model }) {
  const document = {
    disclaimer: "For research use only. Not for diagnosis.",
    created: new Date().toISOString(),
    model: model && { model_id: model.model_id, name: model.name, threshold: model.threshold, temperature: model.temperature, intended_use: model.intended_use },
    predictions: items.map((item) => ({
      ...(item.answer ?? { name: item.name, status: item.state === "failed" ? "error" : item.state, error: item.problem }),
      // The name is the page's own: the server cleans it, and gives it a place among files that were sent together.
      index: undefined,
      name: item.name,
      path: item.path,
      case_id: caseOf(item, grouping) || null,
    })),
    cases,
  };
  return JSON.stringify(document, null, 2);
}

function known({ grouping, model }) {
  return { caseOf: (item) => caseOf(item, grouping), subtypes: model?.classes.subtype ?? [] };
}

function save(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
