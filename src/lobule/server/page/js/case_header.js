/** The head of a case: what its images say together. */

import { fill, h, unseen } from "./dom.js";
import { count, probability, readable } from "./format.js";
import { scale } from "./scale.js";
import { verdictBadge } from "./verdict.js";
import { labelSetOf, reasonOf } from "./words.js";

export class CaseHeader {
  #caseId;
  #retry;
  #answer = h("div.answer");
  #images = h("p.quiet");

  /**
   * @param {string} caseId - "" for the images without a case.
   * @param {() => void} retry
   */
  constructor(caseId, retry) {
    this.#caseId = caseId;
    this.#retry = retry;
    const title = h("h2", { id: `case-${caseId}` }, caseId ? [h("span.quiet", {}, "Case "), caseId] : "Without a case");
    this.element = h("header.case", {}, h("div", {}, title, this.#images), this.#answer);
  }

  /**
   * Show what is known.
   *
   * @param {number} size - number of images of the case.
   * @param {CaseState|undefined} state - undefined while its images are under way.
   */
  update(size, state) {
    this.#images.textContent = count(size, "image");
    if (!this.#caseId) return;
    fill(this.#answer, state ? this.#known(state) : h("p.quiet", {}, "Answered when all of its images are."));
  }

  #known(state) {
    if (state.state === "done") return this.#answered(state.answer);
    if (state.state !== "failed") return h("p.quiet", {}, state.note || "Putting its images together…");
    const again = h("button.small", { type: "button", on: { click: this.#retry } }, "Try again", unseen(` with case ${this.#caseId}`));
    return [h("p.reason", {}, `No answer for the case. ${state.note}`), again];
  }

  #answered(answer) {
    this.element.dataset.kind = answer.verdict;
    const counted = answer.n_images - answer.n_refused;
    const refused = answer.n_refused ? `, ${answer.n_refused} not assessable` : "";
    this.#images.textContent = `${count(counted, "image")} counted${refused}`;
    if (answer.verdict === "not assessable") return [verdictBadge(answer.verdict, "p"), h("p.reason", {}, reasonOf(answer))];
    const subtype = answer.subtype ? `${readable(answer.subtype)} ${probability(answer.prob_subtype[answer.subtype])}` : "";
    return [
      verdictBadge(answer.verdict, "p"),
      h("div.measure", {}, h("p.number", {}, h("span.value", {}, probability(answer.prob_malignant)), unseen(" probability of malignancy")), scale(answer.prob_malignant, null)),
      h("dl.facts", {}, h("dt", {}, "Labels that fit"), h("dd", {}, labelSetOf(answer)), subtype && [h("dt", {}, "Subtype"), h("dd", {}, subtype)]),
      reasonOf(answer) && h("p.reason", {}, reasonOf(answer)),
    ];
  }
}
