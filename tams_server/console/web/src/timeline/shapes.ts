// Shapes that the timeline is drawn with.

export type Context = CanvasRenderingContext2D;

export function hatch(context: Context, x: number, y: number, width: number, height: number, colour: string): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.globalAlpha = 0.5;
  context.lineWidth = 1;
  context.beginPath();
  const first = Math.floor((x - height) / 8) * 8;
  for (let place = first; place < x + width; place += 8) {
    context.moveTo(place, y + height);
    context.lineTo(place + height, y);
  }
  context.stroke();
  context.restore();
}

export function bracket(
  context: Context, x: number, direction: 1 | -1, colour: string, top: number, bottom: number,
): void {
  context.fillStyle = colour;
  context.fillRect(direction > 0 ? x : x - 2, top, 2, bottom - top);
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x + direction * 9, top);
  context.lineTo(x, top + 9);
  context.fill();
}

export function vertical(context: Context, x: number, top: number, bottom: number, colour: string, width: number): void {
  context.fillStyle = colour;
  context.fillRect(Math.round(x) - (width > 1 ? 1 : 0), top, width, bottom - top);
}

export function diamond(context: Context, x: number, y: number, size: number): void {
  context.beginPath();
  context.moveTo(x - size, y);
  context.lineTo(x, y - size);
  context.lineTo(x + size, y);
  context.lineTo(x, y + size);
  context.fill();
}
