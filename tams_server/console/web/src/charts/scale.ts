// Round numbers for an axis.

/** A step of 1, 2 or 5 times a power of ten that divides [0, most] into about `parts` parts. */
export function niceStep(most: number, parts: number): number {
  if (!(most > 0)) return 1;
  const rough = most / parts;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((each) => each * power >= rough) ?? 10;
  return factor * power;
}

/** The marks of an axis that begins at 0 and ends at or above `most`. */
export function axisMarks(most: number, parts = 4): number[] {
  const step = niceStep(most, parts);
  const marks: number[] = [];
  for (let index = 0; index * step < most + step; index += 1) marks.push(index * step);
  return marks;
}
