/** What the user must know now: the server is lost, or something did not work. */

import { fill, h, show } from "./dom.js";
import { icon } from "./icons.js";

const SECONDS = 9;

/**
 * Show while the server is lost, and when it is back.
 *
 * @param {HTMLElement} element
 * @param {Connection} connection
 */
export function listenForConnection(element, connection) {
  const next = h("span");
  const button = h("button.small", { type: "button", on: { click: () => connection.tryNow() } }, "Try now");
  connection.addEventListener("lost", () => {
    fill(element, icon("warning"), h("p", {}, h("strong", {}, "The server does not answer. "), "What it has not judged yet is kept here and sent again when it is back. ", next), button);
    element.className = "banner lost";
    show(element, true);
  });
  connection.addEventListener("trying", ({ detail: seconds }) => (next.textContent = `Next try in ${seconds} s.`));
  connection.addEventListener("back", () => {
    fill(element, icon("check"), h("p", {}, "The server is back; the rest is being sent."));
    element.className = "banner back";
    setTimeout(() => connection.isLost || show(element, false), SECONDS * 1000);
  });
}

/**
 * Show a sentence for a while, or until it is closed.
 *
 * @param {HTMLElement} element - a live region.
 * @param {string} text
 */
export function notify(element, text) {
  const close = () => note.remove();
  const note = h("div.note", {}, h("p", {}, text), h("button.round", { type: "button", "aria-label": "Dismiss", on: { click: close } }, icon("close")));
  element.append(note);
  setTimeout(close, SECONDS * 1000);
}
