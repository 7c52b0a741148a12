/** Small drawings. A verdict has a shape of its own, so that it is never told by colour alone. */

import { s } from "./dom.js";

const FILLED = { fill: "currentColor", stroke: "none" };
const SHAPES = {
  malignant: () => [s("path", { d: "M8 1.6 15 14H1z", ...FILLED })],
  benign: () => [s("circle", { cx: 8, cy: 8, r: 6.4, ...FILLED })],
  uncertain: () => [s("path", { d: "M8 1.2 14.8 8 8 14.8 1.2 8z" }), s("path", { d: "M8 1.2v13.6L1.2 8z", ...FILLED })],
  "not assessable": () => [s("rect", { x: 1.8, y: 1.8, width: 12.4, height: 12.4, rx: 2 }), s("path", { d: "m4.4 11.6 7.2-7.2" })],
  failed: () => [s("path", { d: "M5.4 1.5h5.2l3.9 3.9v5.2l-3.9 3.9H5.4l-3.9-3.9V5.4z" }), s("path", { d: "m5.7 5.7 4.6 4.6m0-4.6-4.6 4.6" })],
  close: () => [s("path", { d: "m3.5 3.5 9 9m0-9-9 9" })],
  check: () => [s("path", { d: "m3 8.6 3.4 3.4L13 4.6" })],
  heat: () => [s("path", { d: "M8.4 1.5c.5 2.6 3.9 4.2 3.9 8a4.3 4.3 0 0 1-8.6 0c0-1.7.9-2.9 1.9-3.8.2 1 .7 1.6 1.2 1.9 0-2.2.3-4.3 1.6-6.1z" })],
  open: () => [s("path", { d: "M9.5 2.5H13.5V6.5M13.3 2.7 9 7M6.5 13.5H2.5V9.5M2.7 13.3 7 9" })],
  left: () => [s("path", { d: "M10 3 5 8l5 5" })],
  right: () => [s("path", { d: "m6 3 5 5-5 5" })],
  plus: () => [s("path", { d: "M8 3v10M3 8h10" })],
  minus: () => [s("path", { d: "M3 8h10" })],
  fit: () => [s("path", { d: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10" })],
  folder: () => [s("path", { d: "M1.8 12.8V3.4h4l1.4 1.7h7v7.7z" })],
  image: () => [s("rect", { x: 1.8, y: 2.8, width: 12.4, height: 10.4, rx: 1.2 }), s("path", { d: "m2 11 3.6-3.6 3 3 2-2 3.4 3.4" }), s("circle", { cx: 10.8, cy: 5.7, r: 1 })],
  broken: () => [s("path", { d: "M2 2.8h12v10.4H9.5l-1.5-2 1.5-2.2-2-2 1.2-4.2M6 13.2H2V2.8" })],
  theme: () => [s("circle", { cx: 8, cy: 8, r: 6 }), s("path", { d: "M8 2a6 6 0 0 0 0 12z", ...FILLED })],
  down: () => [s("path", { d: "M8 2v8.5M4.5 7 8 10.5 11.5 7M2.5 13.5h11" })],
  warning: () => [s("path", { d: "M8 2 15 14H1zM8 6.5v3.6M8 11.7v.6" })],
  sort: () => [s("path", { d: "M5 6.5 8 3l3 3.5M5 9.5 8 13l3-3.5" })],
  ascending: () => [s("path", { d: "M4 10l4-4.5 4 4.5" })],
  descending: () => [s("path", { d: "M4 6l4 4.5 4-4.5" })],
};

/**
 * Draw an icon; it says nothing to a screen reader, the words beside it do.
 *
 * @param {string} name - one of the shapes above.
 * @returns {SVGElement}
 */
export function icon(name) {
  const frame = { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true", fill: "none", stroke: "currentColor" };
  return s("svg", { ...frame, "stroke-width": 1.5, "stroke-linecap": "round", "stroke-linejoin": "round" }, ...SHAPES[name]());
}
