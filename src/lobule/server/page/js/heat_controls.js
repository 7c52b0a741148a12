/** The switches of the heat map: shown or not, for which class, and how strongly. */

import { h, show } from "./dom.js";
import { readable } from "./format.js";

/** Tells of changes by the events `change` (another heat map is wanted, or none) and `opacity`. */
export class HeatControls extends EventTarget {
  #on = h("input", { type: "checkbox", role: "switch", id: "heat-on" });
  #toward = h("select", { id: "heat-toward" });
  #opacity = h("input", { type: "range", id: "heat-opacity", min: 0, max: 100, value: 75 });
  #shown = h("output", { for: "heat-opacity" }, "75 %");
  #status = h("p.fine", { role: "status" });
  #fixed = h("p.fine", {}, "This browser cannot show the file itself, so the server draws picture and heat map as one.");

  constructor() {
    super();
    const change = () => this.dispatchEvent(new CustomEvent("change"));
    this.#on.addEventListener("change", change);
    this.#toward.addEventListener("change", () => ((this.#on.checked = true), change()));
    this.#opacity.addEventListener("input", () => {
      this.#shown.textContent = `${this.#opacity.value} %`;
      this.dispatchEvent(new CustomEvent("opacity"));
    });
    this.element = h(
      "fieldset.heat",
      {},
      h("legend", {}, "Heat map"),
      h("label.switch", { for: "heat-on" }, this.#on, h("span", {}, "Show where the model looks")),
      h("div.field", {}, h("label", { for: "heat-toward" }, "Evidence for"), this.#toward),
      h("div.field", {}, h("label", { for: "heat-opacity" }, "Strength"), h("span.range", {}, this.#opacity, this.#shown)),
      this.#fixed,
      this.#status,
      h("p.fine", {}, "Yellow is much, blue is little, relative to this image’s own peak. It shows where evidence came from; it does not outline tumour."),
    );
    show(this.#fixed, false);
  }

  /** Offer the classes of a model: `{binary: [...], subtype: [...]}`. */
  set classes(classes) {
    const groups = { binary: "Benign or malignant", subtype: "Subtype" };
    const options = Object.entries(classes).map(([task, names]) =>
      h("optgroup", { label: groups[task] ?? task }, names.map((name) => h("option", { value: `${task} ${name}`, selected: name === "malignant" }, readable(name)))),
    );
    this.#toward.replaceChildren(...options);
  }

  get isOn() {
    return this.#on.checked;
  }

  set isOn(on) {
    this.#on.checked = on;
  }

  /** The strength, 0 to 1. */
  get opacity() {
    return this.#opacity.value / 100;
  }

  /** What is to be asked for: task and class. */
  get question() {
    const [task, toward] = this.#toward.value.split(" ");
    return { task, toward };
  }

  /** Say what is going on; "" if nothing is. */
  set status(text) {
    this.#status.textContent = text;
  }

  /** Say whether picture and heat map come as one, so that the strength cannot be changed. */
  set isFixed(fixed) {
    this.#opacity.disabled = fixed;
    show(this.#fixed, fixed);
  }
}
