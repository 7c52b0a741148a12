/** What a file's name tells: whether it is an image, and which case it belongs to by the BreakHis grammar. */

const EXTENSIONS = new Set(["bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp"]);
const BREAKHIS = /^SOB_(?:B_(?:A|F|PT|TA)|M_(?:DC|LC|MC|PC))-(\d\d-[0-9A-Z]+)-(?:40|100|200|400)-\d{3}$/;

/** Whether a name has an image's extension, in any case. */
export const isImageName = (name) => EXTENSIONS.has(extensionOf(name));

/** `a.TIF` -> `tif`; "" without one. */
export function extensionOf(name) {
  const dot = name.lastIndexOf(".");
  return dot > 0 ? name.slice(dot + 1).toLowerCase() : "";
}

/** Return the case in a BreakHis name (`SOB_B_A-14-22549AB-40-001.png` -> `14-22549`), or "". */
export function breakhisCase(name) {
  if (!isImageName(name)) return "";
  const match = BREAKHIS.exec(name.slice(0, name.lastIndexOf(".")));
  return match ? match[1].replace(/(?<=\d)[A-Z]+$/, "") : "";
}

/** Return the folder that a file lies in (`study/case 7/a.png` -> `case 7`), or "". */
export const folderOf = (path) => path.split("/").at(-2) ?? "";
