import { createHash } from 'node:crypto';
import type { Dataset } from './dataset.ts';

/** Tells data from other data without holding them. */
export interface DataDigest {
  readonly examples: number;
  /** Of all that training sees of the data: not of their name, which may be a path. */
  readonly sha256: string;
}

export function digestOf({ inputs, labels, shape, scale, count, classNames }: Dataset): DataDigest {
  const hash = createHash('sha256');
  hash.update(JSON.stringify({ shape, scale, count, classNames }));
  hash.update(inputs).update(labels);
  return { examples: count, sha256: hash.digest('hex') };
}
