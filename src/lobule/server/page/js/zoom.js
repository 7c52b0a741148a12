/** The arithmetic of zooming. A place is {scale, x, y}: screen pixel = image pixel * scale + offset. */

const SMALLEST = 0.05;
const LARGEST = 32;

/** Return the place at which a picture is seen as a whole, as large as there is room. */
export function fitted(size, room) {
  const scale = Math.min(room.width / size.width, room.height / size.height) || 1;
  return { scale, x: (room.width - size.width * scale) / 2, y: (room.height - size.height * scale) / 2 };
}

/** Return the place after zooming by a factor, such that the point of the screen still shows the same tissue. */
export function zoomedAt({ scale, x, y }, factor, point) {
  const next = Math.min(LARGEST, Math.max(SMALLEST, scale * factor));
  const ratio = next / scale;
  return { scale: next, x: point.x - (point.x - x) * ratio, y: point.y - (point.y - y) * ratio };
}

/** Return the nearest place at which the picture does not leave the screen, and is not smaller than it need be. */
export function clamped(place, size, room) {
  const scale = Math.max(place.scale, Math.min(fitted(size, room).scale, 1));
  const along = (offset, length, space) => (length <= space ? (space - length) / 2 : Math.min(0, Math.max(space - length, offset)));
  return { scale, x: along(place.x, size.width * scale, room.width), y: along(place.y, size.height * scale, room.height) };
}

/** Return the middle of points. */
export function centred(points) {
  const sum = points.reduce((total, { x, y }) => ({ x: total.x + x, y: total.y + y }), { x: 0, y: 0 });
  return { x: sum.x / points.length, y: sum.y / points.length };
}
