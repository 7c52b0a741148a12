/** Numbers and names as they are read. */

const MIB = 2 ** 20;
const WHOLE = new Intl.NumberFormat("en");

/** `phyllodes_tumor` -> `phyllodes tumor`. */
export const readable = (name) => name.replaceAll("_", " ");

/** `malignant` -> `Malignant`. */
export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** 1234 -> `1,234`. */
export const whole = (number) => WHOLE.format(number);

/** A probability with two decimals; never 0 or 1, which no model can mean. */
export function probability(value) {
  if (value < 0.005) return "< 0.01";
  return value > 0.995 ? "> 0.99" : value.toFixed(2);
}

/** `3 images`, `1 image`. */
export const count = (number, word) => `${whole(number)} ${word}${number === 1 ? "" : "s"}`;

/** Bytes in words. */
export function megabytes(bytes) {
  const size = bytes / MIB;
  return size < 1 ? `${Math.max(1, Math.round(size * 1024))} KiB` : `${size.toFixed(size < 10 && size % 1 ? 1 : 0)} MiB`;
}

/** `a, b and c`. */
export function listed(words) {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
