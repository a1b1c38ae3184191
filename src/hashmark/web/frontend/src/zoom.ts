// Zooms a picture with the wheel, the keys + - 0 or a double-click, and moves it by dragging.

interface Place {
  scale: number;
  x: number;
  y: number;
}

/** Return the place of a picture after scaling it by `factor` around a point that does not move. */
export function scaled(place: Place, factor: number, x: number, y: number): Place {
  const scale = Math.min(16, Math.max(1, place.scale * factor));
  if (scale === 1) return { scale: 1, x: 0, y: 0 };
  const ratio = scale / place.scale;
  return { scale, x: x - (x - place.x) * ratio, y: y - (y - place.y) * ratio };
}

/** Make the picture in `box` zoomable. */
export function makeZoomable(box: HTMLElement): void {
  const image = box.querySelector("img");
  if (!image) return;
  let place: Place = { scale: 1, x: 0, y: 0 };
  const put = (next: Place): void => {
    place = next;
    image.style.transform = `translate(${place.x}px, ${place.y}px) scale(${place.scale})`;
    box.classList.toggle("zoomed", place.scale > 1);
  };
  const middle = (event: MouseEvent): [number, number] => {
    const rect = box.getBoundingClientRect();
    return [event.clientX - rect.left - rect.width / 2, event.clientY - rect.top - rect.height / 2];
  };
  box.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      put(scaled(place, Math.exp(-event.deltaY * 0.002), ...middle(event)));
    },
    { passive: false },
  );
  box.addEventListener("dblclick", (event) => put(scaled(place, place.scale > 1 ? 0 : 3, ...middle(event))));
  box.addEventListener("pointerdown", (event) => {
    if (place.scale > 1) box.setPointerCapture(event.pointerId);
  });
  box.addEventListener("pointermove", (event) => {
    if (box.hasPointerCapture(event.pointerId)) put({ ...place, x: place.x + event.movementX, y: place.y + event.movementY });
  });
  box.addEventListener("keydown", (event) => {
    const factor = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, "0": 0 }[event.key];
    if (factor !== undefined) put(scaled(place, factor, 0, 0));
  });
}
