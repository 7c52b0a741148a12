/** From a drop, a paste or a file dialog to the files that are meant, with the folders they were in. */

import { isImageName } from "./names.js";

/**
 * @typedef {object} Found
 * @property {Array<{file: File, path: string}>} files
 * @property {number} ignored - files in folders that are no images by their name.
 */

/**
 * List the files of a drop, those in folders too.
 *
 * @param {DataTransfer} transfer
 * @returns {Promise<Found>}
 */
export async function filesOfDrop(transfer) {
  // The list is empty after the first await: everything is taken out of it before.
  const entries = [...transfer.items].filter((item) => item.kind === "file").map((item) => item.webkitGetAsEntry?.() ?? item.getAsFile());
  const found = await Promise.all(entries.filter(Boolean).map((entry) => (entry instanceof File ? [{ file: entry, path: entry.name, named: true }] : walk(entry, ""))));
  return sorted(found.flat());
}

/**
 * List the files of a file or folder dialog.
 *
 * @param {FileList} list
 * @returns {Found}
 */
export const filesOfDialog = (list) => sorted([...list].map((file) => ({ file, path: file.webkitRelativePath || file.name, named: !file.webkitRelativePath })));

/**
 * List the files on the clipboard; what an application put there has no name of its own.
 *
 * @param {DataTransfer} transfer
 * @param {number} number - of this paste, for the name.
 * @returns {Found}
 */
export function filesOfPaste(transfer, number) {
  const files = [...transfer.files].map((file) => (file.name === "image.png" ? new File([file], `pasted-${number}.png`, { type: file.type, lastModified: file.lastModified }) : file));
  return sorted(files.map((file) => ({ file, path: file.name, named: true })));
}

/** A file that was named is taken as it is, so that the server says what is wrong; in folders only images are meant. */
function sorted(all) {
  const visible = all.filter(({ path }) => !path.split("/").some((part) => part.startsWith(".")));
  const files = visible.filter(({ file, named }) => named || isImageName(file.name));
  files.sort((one, other) => one.path.localeCompare(other.path, "en", { numeric: true }));
  return { files: files.map(({ file, path }) => ({ file, path })), ignored: all.length - files.length };
}

async function walk(entry, above) {
  const path = above ? `${above}/${entry.name}` : entry.name;
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path, named: !above }];
  const reader = entry.createReader();
  const children = [];
  // A reader gives at most a hundred entries at a time.
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    children.push(...some);
  }
  return (await Promise.all(children.map((child) => walk(child, path)))).flat();
}
