/** What the model is, how good it is, and what it must not be used for. */

import { fill, h } from "./dom.js";
import { count, listed, megabytes, readable, whole } from "./format.js";
import { icon } from "./icons.js";
import { markdown, sectionOf } from "./markdown.js";
import { fullCaveatOf, promiseOf } from "./words.js";

const MEASURES = [
  ["binary case auroc", "AUROC, per case"],
  ["binary image auroc", "AUROC, per image"],
  ["binary image balanced_accuracy", "Balanced accuracy, per image"],
  ["subtype image balanced_accuracy", "Eight subtypes, balanced accuracy"],
];

export class About {
  #title = h("h2", { id: "about-title" });
  #content = h("div.content", { tabindex: "0", role: "region", "aria-labelledby": "about-title" });
  #dialog = h(
    "dialog.about",
    { "aria-labelledby": "about-title" },
    h("header", {}, this.#title, h("button.round", { type: "button", "aria-label": "Close", on: { click: () => this.#dialog.close() } }, icon("close"))),
    this.#content,
    h("p.disclaimer", {}, "Research use only. Not for diagnosis."),
  );
  #model = null;

  constructor() {
    document.body.append(this.#dialog);
  }

  /** Set what the server says of its model. */
  set model(model) {
    this.#model = model;
  }

  /** Show the model's card. */
  showCard() {
    this.#show("The model", () => [facts(this.#model), measures(this.#model), h("h3", {}, "Model card"), ...cardOf(this.#model)]);
  }

  /** Show what limits the model and the server. */
  showLimits() {
    this.#show("Limits", () => limits(this.#model));
  }

  #show(title, content) {
    this.#title.textContent = title;
    fill(this.#content, this.#model ? content() : h("p", {}, "The server has not described its model yet. Is it running?"));
    this.#dialog.showModal();
    this.#content.scrollTop = 0;
  }
}

function facts(model) {
  const { operating, training } = model;
  const rows = [
    ["Model", h("code", {}, model.model_id)],
    ["Backbone", readable(model.name)],
    ["Trained on", `${count(training.n_images, "image")} of ${count(training.n_cases, "case")}`],
    ["Answers", model.tasks.map((task) => (task === "binary" ? "benign or malignant" : "eight subtypes")).join("; ")],
    ["Called malignant from", `${operating.image.threshold.toFixed(3)} for an image, ${operating.case.threshold.toFixed(3)} for a case (${operating.rule})`],
    ["Refuses unfamiliar images", model.refuses ? "yes" : "no: everything gets an answer, whatever it shows"],
    ["Looks at", `the whole image, squashed to ${model.input_size} × ${model.input_size} pixels`],
  ];
  return h("dl.facts", {}, rows.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function measures(model) {
  const tiles = MEASURES.flatMap(([key, title]) => {
    const metric = model.metrics[key];
    if (typeof metric?.value !== "number") return [];
    const range = typeof metric.low === "number" ? `95 %: ${metric.low.toFixed(3)}–${metric.high.toFixed(3)}` : "no interval: too few cases";
    return [h("li", {}, h("span.name", {}, title), h("span.value", {}, metric.value.toFixed(3)), h("span.fine", {}, range))];
  });
  return tiles.length ? h("ul.tiles", { "aria-label": "How good it is on cases it had not seen" }, tiles) : null;
}

/** The card, without the title and the disclaimer that the dialog has itself. */
const cardOf = (model) => markdown(model.card.replace(/^# .*$/m, "").replaceAll(`**${model.disclaimer}**`, ""), 3);

const lower = (text) => text.charAt(0).toLowerCase() + text.slice(1);

function limits(model) {
  const { limits: accepted } = model;
  const own = sectionOf(model.card, "Limits");
  const pixels = accepted.max_pixels ? `, ${whole(Math.round(accepted.max_pixels / 1e6))} million pixels` : "";
  const server = [
    `A file: ${megabytes(accepted.max_file_bytes)}${pixels}. A case: ${count(accepted.max_files, "image")}, ${megabytes(accepted.max_request_bytes)} together.`,
    `Formats: ${listed(["PNG", "JPEG", "TIFF", "WebP", "BMP", "GIF"])}, one picture a file.`,
    "Images are decoded in the server’s memory and not stored. This page keeps nothing when you leave it.",
  ];
  const list = (sentences) => h("ul", {}, sentences.map((sentence) => h("li", {}, sentence)));
  return [
    h("h3", {}, "Use"),
    h("p", {}, model.intended_use),
    h("h3", {}, "Of the model"),
    ...(own ? markdown(own, 3) : []),
    list([`Probabilities: ${lower(fullCaveatOf(model))}`, `Labels that fit: ${lower(promiseOf(model))}`, "The subtype is told far less surely than benign or malignant.", "It sees one field of view at a time, squashed to a square: fine detail of large images is lost."]),
    h("h3", {}, "Of this server"),
    list(server),
  ];
}
