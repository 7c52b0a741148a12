/** What a screen reader is told while things happen; the newest message alone, so that it never lags behind. */

const PAUSE = 700;
let timer = 0;

/** Say something when there is a moment. */
export function announce(text) {
  clearTimeout(timer);
  timer = setTimeout(() => (document.getElementById("announcements").textContent = text), PAUSE);
}
