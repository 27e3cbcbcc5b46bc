// What people do with a pointer: wheel, drag, pinch and click, as changes of the view.

export interface Gestures {
  zoom: (factor: number, x: number) => void;
  pan: (pixels: number) => void;
  hover: (x: number | null) => void;
  press: (x: number) => void;
}

const CLICK_PX = 4;

/** Listen on an element. Returns what ends it. */
export function gestures(element: HTMLElement, act: Gestures): () => void {
  const pointers = new Map<number, number>();
  let moved = 0;
  let apart = 0;
  const place = (event: PointerEvent | WheelEvent) => event.clientX - element.getBoundingClientRect().left;

  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const unit = event.deltaMode === 1 ? 16 : 1;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      act.pan((event.deltaX || event.deltaY) * unit);
    } else act.zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY * unit)) * (event.ctrlKey ? 0.01 : 0.0025)), place(event));
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event));
    moved = pointers.size > 1 ? Infinity : 0;
    apart = spread(pointers);
  };
  const move = (event: PointerEvent) => {
    const x = place(event);
    const before = pointers.get(event.pointerId);
    if (before === undefined) {
      if (event.pointerType !== "touch") act.hover(x);
      return;
    }
    pointers.set(event.pointerId, x);
    if (pointers.size === 2) {
      const now = spread(pointers);
      const middle = [...pointers.values()].reduce((sum, each) => sum + each, 0) / 2;
      act.pan((before - x) / 2);
      if (now > 8 && apart > 8) act.zoom(apart / now, middle);
      apart = now;
      return;
    }
    moved += Math.abs(x - before);
    if (moved > CLICK_PX) {
      act.hover(null);
      act.pan(before - x);
    }
  };
  const up = (event: PointerEvent) => {
    if (pointers.delete(event.pointerId) && moved <= CLICK_PX && event.type === "pointerup") act.press(place(event));
  };
  const leave = () => act.hover(null);
  element.addEventListener("wheel", wheel, { passive: false });
  element.addEventListener("pointerdown", down);
  element.addEventListener("pointermove", move);
  element.addEventListener("pointerup", up);
  element.addEventListener("pointercancel", up);
  element.addEventListener("pointerleave", leave);
  return () => {
    element.removeEventListener("wheel", wheel);
    element.removeEventListener("pointerdown", down);
    element.removeEventListener("pointermove", move);
    element.removeEventListener("pointerup", up);
    element.removeEventListener("pointercancel", up);
    element.removeEventListener("pointerleave", leave);
  };
}

function spread(pointers: Map<number, number>): number {
  const [one, other] = [...pointers.values()];
  return one === undefined || other === undefined ? 0 : Math.abs(one - other);
}
