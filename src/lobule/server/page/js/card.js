/** An image as a card: the picture, the verdict and what stands behind it. */

import { fill, h, unseen } from "./dom.js";
import { kindOf } from "./collection.js";
import { probability } from "./format.js";
import { icon } from "./icons.js";
import { isBroken, placeholder, picture } from "./picture.js";
import { scale, subtypeBars } from "./scale.js";
import { verdictBadge } from "./verdict.js";
import { caveatOf, labelSetOf, reasonOf } from "./words.js";

const SUBTYPES_SHOWN = 3;

export class Card {
  #item;
  #actions;
  #frame;
  #body = h("div.body");
  #pick;
  #heat;
  #layer = null;

  /**
   * @param {Item} item
   * @param {object} actions - `open`, `select`, `remove`, `cancel`, `retry`, `unshowable`: called with the item;
   *   `layer(item)`: the address of its heat map; `model()`: what the server says of its model.
   */
  constructor(item, actions) {
    this.#item = item;
    this.#actions = actions;
    this.#pick = h("input", { type: "checkbox", "aria-label": `Select ${item.name}`, on: { change: () => actions.select(item, this.#pick.checked) } });
    this.#heat = h("button.heat", { type: "button", "aria-pressed": "false", on: { click: () => this.#toggleHeat() } }, icon("heat"), "Heat map", unseen(` of ${item.name}`));
    this.#frame = h("button.frame", { type: "button", "aria-label": `Open ${item.name}`, on: { click: () => actions.open(item) } }, picture(item, () => actions.unshowable(item)));
    const remove = h("button.remove", { type: "button", "aria-label": `Remove ${item.name}`, title: "Remove", on: { click: () => actions.remove(item) } }, icon("close"));
    const name = h("h3.name", { title: item.path }, item.name);
    this.element = h("li.card", { "data-id": item.id }, h("div.top", {}, this.#frame, h("label.pick", {}, this.#pick), remove, this.#heat), h("div.text", {}, name, this.#body));
    this.update();
  }

  /** Show what is known of the image now. */
  update() {
    const item = this.#item;
    this.element.dataset.kind = kindOf(item);
    this.element.classList.toggle("selected", item.selected);
    this.#pick.checked = item.selected;
    this.#heat.hidden = item.state !== "done" || !item.previewable || item.answer.verdict === "not assessable";
    this.#frame.disabled = item.state !== "done";
    if (!item.previewable || isBroken(item)) fill(this.#frame.firstElementChild, placeholder(item));
    const parts = { done: () => this.#answered(), failed: () => this.#unanswered(), cancelled: () => this.#unanswered() };
    const wasFocused = this.#body.contains(document.activeElement);
    fill(this.#body, (parts[item.state] ?? (() => this.#pending()))());
    if (wasFocused) (this.#body.querySelector("button") ?? this.#frame).focus({ preventScroll: true });
  }

  #answered() {
    const { answer } = this.#item;
    const model = this.#actions.model();
    if (answer.verdict === "not assessable") {
      return [verdictBadge(answer.verdict, "p"), h("p.reason", {}, reasonOf(answer)), h("p.fine", {}, "No probability is shown: for such an image it would mean nothing.")];
    }
    return [
      h("div.headline", {}, verdictBadge(answer.verdict, "p"), h("p.number", {}, h("span.value", {}, probability(answer.prob_malignant)), unseen(" probability of malignancy"))),
      scale(answer.prob_malignant, model?.threshold ?? null),
      h("p.fine", {}, `Probability of malignancy. ${caveatOf(model)}.`),
      h("dl.facts", {}, h("dt", {}, "Labels that fit"), h("dd", {}, labelSetOf(answer))),
      answer.prob_subtype && subtypeBars(answer.prob_subtype, SUBTYPES_SHOWN),
      reasonOf(answer) && h("p.reason", {}, reasonOf(answer)),
    ];
  }

  #unanswered() {
    const { problem, name, state } = this.#item;
    const again = h("button.small", { type: "button", on: { click: () => this.#actions.retry(this.#item) } }, "Try again", unseen(` with ${name}`));
    return [
      h("p.verdict", { "data-kind": "failed" }, icon("failed"), h("span", {}, state === "cancelled" ? "Cancelled" : "No answer")),
      h("p.reason", {}, problem.detail),
      problem.retryable && h("p", {}, again),
    ];
  }

  #pending() {
    const { state, sent, note, name } = this.#item;
    const words = { waiting: "Waiting", sending: `Sending, ${Math.round(sent * 100)} %`, judging: "Being judged" }[state];
    const progress = h("progress", { max: 1, "aria-label": `Progress of ${name}` });
    if (state !== "judging") progress.value = state === "sending" ? sent : 0;
    const cancel = h("button.small.quiet", { type: "button", on: { click: () => this.#actions.cancel(this.#item) } }, "Cancel", unseen(` ${name}`));
    return [h("p.pending", {}, h("span", {}, note || words), cancel), progress];
  }

  async #toggleHeat() {
    const wanted = this.#heat.getAttribute("aria-pressed") !== "true";
    this.#heat.setAttribute("aria-pressed", wanted);
    this.#layer?.remove();
    this.#layer = null;
    if (!wanted) return;
    this.#heat.classList.add("busy");
    try {
      const src = await this.#actions.layer(this.#item);
      if (this.#heat.getAttribute("aria-pressed") !== "true") return;
      this.#layer = h("img.layer", { src, alt: "", draggable: "false" });
      this.#frame.firstElementChild.append(this.#layer);
    } catch (error) {
      this.#heat.setAttribute("aria-pressed", "false");
      this.#actions.complain(`The heat map of ${this.#item.name} was not made. ${error.message}`);
    } finally {
      this.#heat.classList.remove("busy");
    }
  }
}
