/** What is printed, or saved as a PDF by the print dialog: a page of its own, made when it is needed. */

import { fill, h } from "./dom.js";
import { kindOf, tally } from "./collection.js";
import { count, probability, readable } from "./format.js";
import { caseOf, GROUPINGS } from "./grouping.js";
import { picture } from "./picture.js";
import { ofSubtype } from "./order.js";
import { verdictBadge } from "./verdict.js";
import { fullCaveatOf, labelSetOf, reasonOf, summaryOf } from "./words.js";

/**
 * Let printing show a summary instead of the page.
 *
 * @param {HTMLElement} element - holds the summary; seen in print alone.
 * @param {() => Session} session
 */
export function listenForPrinting(element, session) {
  window.addEventListener("beforeprint", () => fill(element, summary(session())));
  window.addEventListener("afterprint", () => fill(element));
}

/** Print, after the pictures of the summary are there. */
export async function print(element, session) {
  fill(element, summary(session));
  await Promise.all([...element.querySelectorAll("img")].map((image) => image.decode().catch(() => {})));
  window.print();
}

function summary({ items, grouping, cases, model }) {
  const grouped = grouping !== "none";
  return [
    h("header", {}, h("p.disclaimer", {}, "For research use only. Not for diagnosis."), h("h1", {}, "What the model says"), h("p", {}, `${new Date().toLocaleString("en-GB", { dateStyle: "long", timeStyle: "short" })}. ${count(items.length, "image")}: ${summaryOf(tally(items)) || "no answer yet"}.`)),
    model && h("p", {}, `Model ${model.model_id} (${readable(model.name)}), trained on ${count(model.training.n_images, "image")} of ${count(model.training.n_cases, "case")}. Called malignant from a probability of ${model.threshold.toFixed(3)}. ${fullCaveatOf(model)}`),
    grouped && cases.length > 0 && caseTable(cases, grouping),
    imageTable(items, grouping, grouped),
  ];
}

function caseTable(cases, grouping) {
  const rows = cases.map((answer) => {
    const counted = `${answer.n_images - answer.n_refused} of ${answer.n_images}`;
    const cells = [verdictBadge(answer.verdict), value(answer), answer.verdict === "not assessable" ? "" : labelSetOf(answer), answer.subtype ? readable(answer.subtype) : "", counted];
    return h("tr", {}, h("th", { scope: "row" }, answer.case_id), cells.map((cell) => h("td", {}, cell)));
  });
  return [h("h2", {}, `Cases (${GROUPINGS[grouping].toLowerCase()})`), table(["Case", "Verdict", "P(malignant)", "Labels that fit", "Subtype", "Images counted"], rows)];
}

function imageTable(items, grouping, grouped) {
  const rows = items.map((item) => {
    const { answer } = item;
    const refused = kindOf(item) === "not assessable";
    const why = answer ? reasonOf(answer) : (item.problem?.detail ?? "Not answered yet.");
    const subtype = ofSubtype(answer) === null || refused ? "" : `${readable(answer.subtype)} ${probability(ofSubtype(answer))}`;
    const kind = kindOf(item);
    const cells = [kind === "pending" ? "Waiting" : verdictBadge(kind), answer ? value(answer) : "", answer && !refused ? labelSetOf(answer) : "", subtype, grouped ? caseOf(item, grouping) : null, why];
    const small = picture(item, () => {});
    for (const image of small.querySelectorAll("img")) image.loading = "eager";
    return h("tr", {}, h("td", {}, small), h("th", { scope: "row" }, item.name), cells.filter((cell) => cell !== null).map((cell) => h("td", {}, cell)));
  });
  const heads = ["", "Image", "Verdict", "P(malignant)", "Labels that fit", "Subtype", grouped ? "Case" : null, "Why"];
  return [h("h2", {}, "Images"), table(heads.filter((head) => head !== null), rows)];
}

const value = (answer) => (answer.verdict === "not assessable" ? "" : probability(answer.prob_malignant));

const table = (heads, rows) => h("table", {}, h("thead", {}, h("tr", {}, heads.map((head) => h(head ? "th" : "td", head ? { scope: "col" } : {}, head)))), h("tbody", {}, rows));
