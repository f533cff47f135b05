/** Where two values of plain data differ. */
export interface Difference {
  /** Such as `layers.0.units`. */
  readonly path: string;
  readonly a: unknown;
  readonly b: unknown;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

/** The first difference between two values of plain data, or undefined where they are equal. */
export function firstDifference(a: unknown, b: unknown, path = ''): Difference | undefined {
  if (!isObject(a) || !isObject(b)) return Object.is(a, b) ? undefined : { path, a, b };
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifference(a[key], b[key], path === '' ? key : `${path}.${key}`);
    if (found) return found;
  }
  return undefined;
}
