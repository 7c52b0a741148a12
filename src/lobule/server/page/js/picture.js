/** An image in small, or what stands in for one that the browser cannot show. */

import { fill, h } from "./dom.js";
import { icon } from "./icons.js";
import { extensionOf } from "./names.js";

/**
 * Show an image.
 *
 * @param {Item} item
 * @param {() => void} onUnshowable - called when the browser turns out not to know the format.
 * @returns {HTMLElement}
 */
export function picture(item, onUnshowable) {
  const frame = h("span.picture");
  if (!item.previewable || isBroken(item)) return fill(frame, placeholder(item));
  const image = h("img", { src: item.url, alt: "", loading: "lazy", decoding: "async", draggable: "false" });
  // What is transparent is laid over white, as the server does; but not before there is anything to lay.
  image.addEventListener("load", () => image.classList.add("loaded"));
  image.addEventListener("error", () => {
    fill(frame, placeholder(item));
    onUnshowable();
  });
  return fill(frame, image);
}

/** Whether the server could not read a file; a browser may show a part of it all the same. */
export const isBroken = (item) => item.problem?.code === "unusable_image";

/** What stands in for an image that cannot be shown here. */
export function placeholder(item) {
  const broken = isBroken(item);
  const format = extensionOf(item.name).replace(/^tif$/, "tiff").toUpperCase();
  const words = broken ? "Cannot be read" : `${format || "File"}: no preview in this browser`;
  return h("span.placeholder", {}, icon(broken ? "broken" : "image"), h("span", {}, words));
}
