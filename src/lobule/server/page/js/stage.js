/** A picture that can be zoomed and moved, by mouse, touch and keyboard. */

import { h } from "./dom.js";
import { centred, clamped, fitted, zoomedAt } from "./zoom.js";

const STEP = 1.25;
const PAN = 60;
const KEYS = {
  "+": (stage) => stage.zoomBy(STEP),
  "=": (stage) => stage.zoomBy(STEP),
  "-": (stage) => stage.zoomBy(1 / STEP),
  0: (stage) => stage.fit(),
  ArrowLeft: (stage) => stage.move(PAN, 0),
  ArrowRight: (stage) => stage.move(-PAN, 0),
  ArrowUp: (stage) => stage.move(0, PAN),
  ArrowDown: (stage) => stage.move(0, -PAN),
};

export class Stage extends EventTarget {
  #picture = h("div.canvas");
  #size = { width: 1, height: 1 };
  #place = { scale: 1, x: 0, y: 0 };
  #isFitted = true;
  #pointers = new Map();

  constructor() {
    super();
    const said = "Image. Zoom with plus and minus, move with the arrow keys, 0 fits it in.";
    this.element = h("div.stage", { tabindex: "0", role: "group", "aria-label": said }, this.#picture);
    this.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.element.addEventListener("keydown", (event) => this.#key(event));
    this.element.addEventListener("dblclick", (event) => (this.#isFitted ? this.zoomBy(2 / this.#place.scale, this.#within(event)) : this.fit()));
    this.element.addEventListener("pointerdown", (event) => this.#down(event));
    this.element.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of ["pointerup", "pointercancel"]) this.element.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    new ResizeObserver(() => (this.#isFitted ? this.fit() : this.#set(this.#place))).observe(this.element);
  }

  /**
   * Show pictures over each other.
   *
   * @param {{width: number, height: number}} size - in image pixels.
   * @param {Array<Element>} layers
   */
  show(size, layers) {
    this.#size = size;
    this.#picture.style.width = `${size.width}px`;
    this.#picture.style.height = `${size.height}px`;
    this.#picture.replaceChildren(...layers);
    this.fit();
  }

  /** Lay another picture over those that are there. */
  add(layer) {
    this.#picture.append(layer);
  }

  /** Show the whole picture. */
  fit() {
    this.#isFitted = true;
    this.#set(fitted(this.#size, this.#room()));
  }

  /** Zoom by a factor, around a point of the stage or its middle. */
  zoomBy(factor, point) {
    const room = this.#room();
    this.#isFitted = false;
    this.#set(zoomedAt(this.#place, factor, point ?? { x: room.width / 2, y: room.height / 2 }));
  }

  /** Move the picture, in pixels of the screen. */
  move(x, y) {
    this.#isFitted = false;
    this.#set({ ...this.#place, x: this.#place.x + x, y: this.#place.y + y });
  }

  #set(place) {
    this.#place = clamped(place, this.#size, this.#room());
    const { scale, x, y } = this.#place;
    this.#picture.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
    this.#picture.classList.toggle("pixels", scale >= 4);
    this.dispatchEvent(new CustomEvent("zoom", { detail: scale }));
  }

  #room() {
    return { width: this.element.clientWidth, height: this.element.clientHeight };
  }

  #within(event) {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  #wheel(event) {
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), this.#within(event));
  }

  #key(event) {
    const act = KEYS[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act(this);
  }

  #down(event) {
    if (event.button !== 0) return;
    this.element.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, this.#within(event));
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const points = [...this.#pointers.values()];
    this.#pointers.set(event.pointerId, this.#within(event));
    const now = [...this.#pointers.values()];
    const [from, to] = [centred(points), centred(now)];
    if (points.length === 2) this.zoomBy(distance(now) / distance(points), from);
    this.move(to.x - from.x, to.y - from.y);
  }
}

const distance = ([one, other]) => Math.max(1, Math.hypot(one.x - other.x, one.y - other.y));
