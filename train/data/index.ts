export { fillBatch, shuffledOrder } from './batches.ts';
export { type Dataset, type Split, checkDataset, exampleSize, firstExamples } from './dataset.ts';
export { type IdxArray, type IdxOptions, idx, readIdx } from './idx.ts';
export { mnist } from './mnist.ts';
export { randomShifts, type Shifts, shiftBatch, shiftImage } from './shift.ts';
export { openDataset } from './source.ts';
