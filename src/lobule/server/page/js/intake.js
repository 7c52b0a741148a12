/** Where images come in: the drop zone, which is the whole window, the clipboard and the two dialogs. */

import { filesOfDialog, filesOfDrop, filesOfPaste } from "./dropped.js";

/**
 * Listen for images.
 *
 * @param {object} parts
 * @param {HTMLInputElement} parts.files - dialog for files.
 * @param {HTMLInputElement} parts.folder - dialog for a folder.
 * @param {Array<[HTMLElement, HTMLInputElement]>} parts.buttons - and the dialogs that they open.
 * @param {(found: Found) => void} take
 */
export function listenForImages({ files, folder, buttons }, take) {
  for (const [button, input] of buttons) button.addEventListener("click", () => input.click());
  for (const input of [files, folder]) {
    input.addEventListener("change", () => {
      take(filesOfDialog(input.files));
      // The same file may be chosen again after it was removed.
      input.value = "";
    });
  }
  listenForDrops(take);
  listenForPastes(take);
}

function listenForDrops(take) {
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files") && !document.querySelector("dialog[open]");
  let depth = 0;
  const hover = (change) => {
    depth = Math.max(0, change === 0 ? 0 : depth + change);
    document.body.classList.toggle("dropping", depth > 0);
  };
  document.addEventListener("dragenter", (event) => carriesFiles(event) && (event.preventDefault(), hover(1)));
  document.addEventListener("dragleave", (event) => carriesFiles(event) && hover(-1));
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.dataTransfer.dropEffect = carriesFiles(event) ? "copy" : "none";
  });
  document.addEventListener("drop", async (event) => {
    // Always, or the browser would leave the page for the file.
    event.preventDefault();
    const wanted = carriesFiles(event);
    hover(0);
    if (wanted) take(await filesOfDrop(event.dataTransfer));
  });
}

function listenForPastes(take) {
  let number = 0;
  document.addEventListener("paste", (event) => {
    if (!event.clipboardData?.files.length || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    number += 1;
    take(filesOfPaste(event.clipboardData, number));
  });
}
