/** One image in full: large, with its heat map, and everything that is known of it. */

import { fill, h, unseen } from "./dom.js";
import { furtherParts, verdictParts } from "./details.js";
import { HeatControls } from "./heat_controls.js";
import { icon } from "./icons.js";
import { placeholder } from "./picture.js";
import { Stage } from "./stage.js";

export class Viewer {
  #parts;
  #item = null;
  #asked = 0;
  #layer = null;
  #stage = new Stage();
  #heat = new HeatControls();
  #verdict = h("div.details");
  #further = h("div.details.further");
  #panel = h("div.panel", { tabindex: "-1" }, this.#verdict, this.#heat.element, this.#further);
  #title = h("h2", { id: "viewer-title" });
  #position = h("p.quiet");
  #zoom = h("output.zoom", { "aria-label": "Zoom" });
  #previous = this.#button("left", "Previous image", () => this.#step(-1));
  #next = this.#button("right", "Next image", () => this.#step(1));
  #dialog = this.#build();

  /**
   * @param {{layers: HeatLayers, model: () => object|null, order: () => Array<Item>, unshowable: (item: Item) => void}} parts
   */
  constructor(parts) {
    this.#parts = parts;
    this.#heat.addEventListener("change", () => this.#drawHeat());
    this.#heat.addEventListener("opacity", () => this.#layer && (this.#layer.style.opacity = this.#heat.opacity));
    this.#stage.addEventListener("zoom", ({ detail: scale }) => (this.#zoom.textContent = `${Math.round(scale * 100)} %`));
    this.#dialog.addEventListener("keydown", (event) => this.#key(event));
    document.body.append(this.#dialog);
  }

  /** Offer the classes of the model. */
  set classes(classes) {
    this.#heat.classes = classes;
  }

  /** Open an image that has an answer. */
  open(item) {
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#show(item);
    this.#stage.element.focus();
  }

  #build() {
    const zoom = h("div.zooming", { role: "group", "aria-label": "Zoom" }, [
      this.#button("minus", "Zoom out", () => this.#stage.zoomBy(1 / 1.5)),
      this.#zoom,
      this.#button("plus", "Zoom in", () => this.#stage.zoomBy(1.5)),
      this.#button("fit", "Fit in", () => this.#stage.fit()),
    ]);
    const close = this.#button("close", "Close", () => this.#dialog.close());
    const head = h("header", {}, h("div.names", {}, this.#title, this.#position), h("div.steps", {}, this.#previous, this.#next), close);
    const stage = h("div.stage-frame", {}, this.#stage.element, zoom);
    return h("dialog.viewer", { "aria-labelledby": "viewer-title" }, head, h("div.split", {}, stage, this.#panel), h("p.disclaimer", {}, "Research use only. Not for diagnosis."));
  }

  #button(name, title, click) {
    return h("button.round", { type: "button", title, on: { click } }, icon(name), unseen(title));
  }

  #show(item) {
    this.#item = item;
    const order = this.#answered();
    const place = order.findIndex(({ id }) => id === item.id);
    this.#title.textContent = item.name;
    this.#title.title = item.path;
    this.#position.textContent = `Image ${place + 1} of ${order.length}`;
    this.#previous.disabled = place <= 0;
    this.#next.disabled = place + 1 >= order.length;
    this.#panel.dataset.kind = item.answer.verdict;
    fill(this.#verdict, verdictParts(item, this.#parts.model()));
    fill(this.#further, furtherParts(item, this.#parts.model()));
    this.#stage.show(item.answer, [this.#picture(item)]);
    this.#drawHeat();
  }

  #picture(item) {
    if (!item.previewable) return placeholder(item);
    const image = h("img", { src: item.url, alt: `The image ${item.name}`, draggable: "false" });
    image.addEventListener("error", () => {
      this.#parts.unshowable(item);
      if (this.#item === item) this.#show(item);
    });
    return image;
  }

  /** Ask for the heat map that is wanted now; an answer that comes too late is dropped. */
  async #drawHeat() {
    const item = this.#item;
    const turn = ++this.#asked;
    this.#heat.isFixed = !item.previewable;
    if (!this.#heat.isOn) {
      this.#layer?.remove();
      this.#layer = null;
      this.#heat.status = "";
      return;
    }
    this.#heat.status = "Asking the model…";
    try {
      const src = await this.#parts.layers.of(item, { ...this.#heat.question, form: item.previewable ? "layer" : "overlay" });
      if (turn === this.#asked) this.#lay(src, item.previewable);
    } catch (error) {
      if (turn === this.#asked) this.#heat.status = `No heat map. ${error.message}`;
    }
  }

  #lay(src, transparent) {
    this.#layer?.remove();
    const { toward } = this.#heat.question;
    this.#layer = h("img.layer", { src, alt: `Where the model finds evidence for ${toward.replaceAll("_", " ")}`, draggable: "false" });
    if (transparent) this.#layer.style.opacity = this.#heat.opacity;
    this.#stage.add(this.#layer);
    this.#heat.status = "";
  }

  #answered() {
    return this.#parts.order().filter(({ state }) => state === "done");
  }

  #step(by) {
    const order = this.#answered();
    const next = order[order.findIndex(({ id }) => id === this.#item.id) + by];
    if (next) this.#show(next);
  }

  #key(event) {
    const steps = { PageUp: -1, PageDown: 1 };
    if (event.key in steps) {
      event.preventDefault();
      this.#step(steps[event.key]);
    } else if (event.key === "h" && event.target === this.#stage.element) {
      this.#heat.isOn = !this.#heat.isOn;
      this.#drawHeat();
    }
  }
}
