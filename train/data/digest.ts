import { createHash } from 'node:crypto';
import { isRecordings, isRegression, outputNamesOf, type TrainingData } from './regression.ts';

/** Tells data from other data without holding them. */
export interface DataDigest {
  readonly examples: number;
  /** Of all that training sees of the data: not of their name, which may be a path. */
  readonly sha256: string;
}

/** @param validation what the network is judged on meanwhile, where the user gave it */
export function digestOf(data: TrainingData, validation?: TrainingData): DataDigest {
  const hash = createHash('sha256');
  for (const each of validation ? [data, validation] : [data]) {
    if (isRecordings(each)) {
      const { shape, count, classNames, times, channels, offsets, labels } = each;
      hash.update(JSON.stringify({ shape, count, classNames, wide: channels instanceof Uint32Array }));
      for (const numbers of [times, channels, offsets, labels]) hash.update(numbers);
      continue;
    }
    const { inputs, shape, steps, scale, count } = each;
    if (isRegression(each)) {
      const outputNames = outputNamesOf(each);
      hash.update(
        JSON.stringify({ shape, steps, scale, count, real: inputs instanceof Float32Array, outputNames }),
      );
      hash.update(inputs).update(each.targets);
    } else {
      hash.update(JSON.stringify({ shape, steps, scale, count, classNames: each.classNames }));
      hash.update(inputs).update(each.labels);
    }
  }
  return { examples: data.count, sha256: hash.digest('hex') };
}
