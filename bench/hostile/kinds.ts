/** What is spoilt, how, and which commands then read it. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { readModel, writeModel } from '../../schemas/onnx/index.ts';
import { byteChange, type Change, textChange } from './changes.ts';
import { jsonChange, jsonTextChange, safetensorsChange } from './json-changes.ts';
import { short } from './fixtures.ts';

/** One kind of hostile input. In paths and arguments `@` is the folder of all files. */
export interface Kind {
  readonly name: string;
  /** The file that is changed. */
  readonly file: string;
  readonly change: fc.Arbitrary<Change>;
  /** Folders of `@/in` that commands write into: they get a copy in `@/out`. */
  readonly copies?: readonly string[];
  /** A checkpoint whose checksums are made to fit the changed file, most of the time. */
  readonly checkpoint?: string;
  /** Command lines that read it. */
  readonly commands: readonly string[];
}

const trained = [...short, '--hidden', '4', '--out', '@/out/run'].join(' ');

/** As it is, or packed before or after the change: how a file begins tells whether it is. */
const packed = (change: fc.Arbitrary<Change>): fc.Arbitrary<Change> =>
  fc.oneof(
    { weight: 4, arbitrary: change },
    {
      weight: 1,
      arbitrary: change.map(
        (inner): Change =>
          (bytes) =>
            gzipSync(inner(bytes)),
      ),
    },
    {
      weight: 1,
      arbitrary: change.map(
        (inner): Change =>
          (bytes) =>
            inner(gzipSync(bytes)),
      ),
    },
  );

/** Changes JSON that an .onnx has in its metadata, or where it says that its numbers lie. */
const metadataChange: fc.Arbitrary<Change> = fc.tuple(fc.nat(1000), jsonTextChange).map(
  ([which, edit]): Change =>
    (bytes) => {
      const model = readModel(bytes);
      const keys = [...model.metadata.keys()].filter((key) => key.startsWith('bitspike.'));
      const key = keys[which % keys.length] ?? '';
      return writeModel({
        ...model,
        metadata: new Map([...model.metadata, [key, edit(model.metadata.get(key) ?? 'null')]]),
      });
    },
);

/** Commands that read labelled examples of 4 × 4 bytes. */
const onImages = (spec: string): string[] => [
  `eval @/in/net.onnx --threads 1 --data ${spec}`,
  `eval @/in/run --threads 1 --count 2 --data ${spec}`,
  `eval @/in/net.onnx --threads 1 --split train --limit 7 --data ${spec}`,
  `recipes digits --data ${spec}`,
  `inspect @/in/net.onnx --data ${spec}`,
  `verify @/in/net.onnx --certificate @/out/c.json --renew --devices cpu,bits --threads 1 --data ${spec}`,
  `export @/in/run --out @/out/n.onnx --recalibrate --data ${spec}`,
  `sweep --data ${spec} --grid seed=1 ${trained}`,
];

/** Commands that read labelled examples of any shape. */
const onOthers = (spec: string): string[] => [
  `recipes cifar10-small --data ${spec}`,
  `eval @/in/net.onnx --threads 1 --data idx:@/in/images --ood ${spec}`,
  `sweep --data ${spec} --grid seed=1 ${trained}`,
];

const onEvents = (recipe: string, spec: string): string[] => [
  `recipes ${recipe} --data ${spec}`,
  `recipes ${recipe} --data ${spec} --limit 1`,
  `eval @/in/steps.onnx --split train --data ${spec}`,
];

const ofNetwork = (file: string, data = 'idx:@/in/images'): string[] => [
  `inspect ${file}`,
  `inspect ${file} --json`,
  `eval ${file} --threads 1 --split train --data ${data}`,
  `eval ${file} --threads 1 --split train --data ${data} --bins --limit 3`,
  `verify ${file} --certificate @/out/c.json --renew --inputs 5 --devices cpu,bits --threads 1`,
  `verify ${file} --certificate @/in/net.certificate.json --devices bits --threads 1`,
  `serve ${file} --port 0 --threads 1`,
];

const ofTraining = (run: string): string[] => [
  `export ${run} --out @/out/n.onnx`,
  `export ${run} --out @/out/n.onnx --noise input`,
  `eval ${run} --threads 1 --count 2 --data idx:@/in/images`,
  `report ${run} --out @/out/r.html`,
  `train --data idx:@/in/images --out ${run} --resume --threads 1`,
  `verify @/in/sound.onnx --certificate @/out/c.json --renew --inputs 5 --devices bits --run ${run}`,
];

/** Two epochs of 24 examples in batches of 10. */
const last = 'checkpoint-000006';
const ofCheckpoint = (file: string, change: fc.Arbitrary<Change>, mends = true): Kind => ({
  name: `checkpoint ${file}`,
  file: `@/out/run/${last}/${file}`,
  change,
  copies: ['run'],
  ...(mends && { checkpoint: `@/out/run/${last}` }),
  commands: ofTraining('@/out/run'),
});

const ofOnnx = (file: string): Kind => ({
  name: file,
  file: `@/in/${file}`,
  change: fc.oneof({ weight: 2, arbitrary: byteChange }, { weight: 1, arbitrary: metadataChange }),
  commands: ofNetwork(`@/in/${file}`, file.startsWith('st') ? 'frames:@/in/frames' : 'idx:@/in/images'),
});

const ofImages = (name: string, file: string, spec: string, change = byteChange): Kind => ({
  name,
  file: `@/in/${file}`,
  change: packed(change),
  commands: onImages(spec),
});

const ofOthers = (name: string, file: string, change: fc.Arbitrary<Change>): Kind => ({
  name,
  file: `@/in/${file}`,
  change: packed(change),
  commands: onOthers('cifar10:@/in/cifar'),
});

const ofEvents = (name: string, file: string, spec: string, change = byteChange): Kind => ({
  name,
  file: `@/in/${file}`,
  change: packed(change),
  commands: onEvents(spec.startsWith('shd') ? 'shd-small' : 'dvs-gesture-small', spec),
});

const described = ['train', 'sweep --grid seed=1'].map(
  (command) => `${command} @/in/bitspike.json ${trained}`,
);

export const kinds: readonly Kind[] = [
  {
    name: 'bitspike.json',
    file: '@/in/bitspike.json',
    change: jsonChange,
    commands: [...described, `train @/in/bitspike.json --epochs 1 --out @/out/run`],
  },
  {
    name: 'bitspike.json of a recipe',
    file: '@/in/recipe.json',
    change: jsonChange,
    commands: [`sweep @/in/recipe.json --grid seed=1 --epochs 1 --out @/out/run`],
  },
  {
    name: 'sweep file',
    file: '@/in/space.json',
    change: jsonChange,
    commands: [`sweep --data idx:@/in/images --space @/in/space.json ${trained} --runs 1`],
  },
  {
    name: 'sweep.json of a sweep',
    file: '@/out/sweep/sweep.json',
    change: jsonChange,
    copies: ['sweep'],
    commands: [`sweep --data idx:@/in/images --out @/out/sweep --hidden 4 ${short.join(' ')} --grid seed=1`],
  },
  {
    name: 'model.json',
    file: '@/in/model.json',
    change: jsonChange,
    commands: ['train', 'sweep --grid seed=1', 'sweep --grid seed=1'].map(
      (command) =>
        `${command} --data idx:@/in/images --model @/in/model.json ${short.join(' ')} --out @/out/run`,
    ),
  },
  {
    name: 'options.json',
    file: '@/in/options.json',
    change: jsonChange,
    commands: ['train', 'sweep --grid seed=1', 'sweep --grid seed=1'].map(
      (command) => `${command} --data idx:@/in/images --options @/in/options.json ${trained}`,
    ),
  },
  ofImages('idx images', 'images/t10k-images-idx3-ubyte', 'idx:@/in/images'),
  ofImages('idx labels', 'images/t10k-labels-idx1-ubyte', 'idx:@/in/images'),
  ofImages('idx images to learn from', 'images/train-images-idx3-ubyte', 'idx:@/in/images'),
  ofOthers('cifar10', 'cifar/data_batch_1.bin', byteChange),
  ofOthers('cifar10 names', 'cifar/batches.meta.txt', textChange),
  ofImages('npy', 'npy/test.inputs.npy', 'npy:@/in/npy?scale=1/255', textChange),
  ofImages('npy labels', 'npy/train.labels.npy', 'npy:@/in/npy?scale=1/255', textChange),
  {
    name: 'npy frames',
    file: '@/in/frames/train.frames.npy',
    change: packed(fc.oneof(byteChange, textChange)),
    commands: [
      'eval @/in/steps.onnx --threads 1 --data frames:@/in/frames --split train',
      'recipes dvs-gesture-small --data frames:@/in/frames',
    ],
  },
  {
    name: 'npy targets',
    file: '@/in/regression/targets.npy',
    change: packed(fc.oneof(byteChange, textChange)),
    commands: [`sweep --data regression:@/in/regression --grid seed=1 --likelihood gaussian:0.1 ${trained}`],
  },
  ofEvents('hdf5', 'spikes/s.h5', 'shd:@/in/spikes/s.h5?test=speaker:1'),
  ofEvents('nmnist events', 'nmnist/Train/5/00001.bin', 'nmnist:@/in/nmnist'),
  ofEvents('nmnist tar', 'nmnist.tar', 'nmnist:@/in/nmnist.tar'),
  ofEvents('aedat', 'gestures/user07_led.aedat', 'dvs-gesture:@/in/gestures'),
  ofEvents('aedat labels', 'gestures/user07_led_labels.csv', 'dvs-gesture:@/in/gestures', textChange),
  ofEvents('aedat list', 'gestures/trials_to_train.txt', 'dvs-gesture:@/in/gestures', textChange),
  ofCheckpoint('model.json', jsonChange),
  ofCheckpoint('posterior.safetensors', safetensorsChange),
  ofCheckpoint('optimiser.safetensors', safetensorsChange),
  ofCheckpoint('manifest.json', jsonChange, false),
  {
    name: 'history.jsonl',
    file: '@/out/run/history.jsonl',
    change: fc.oneof(textChange, byteChange),
    copies: ['run'],
    commands: [`report @/out/run --out @/out/r.html`, ...ofTraining('@/out/run').slice(4, 5)],
  },
  {
    name: 'training.lock',
    file: '@/out/run/training.lock',
    change: fc.oneof(
      jsonChange.map(
        (change): Change =>
          () =>
            change(Buffer.from(lock)),
      ),
      byteChange,
    ),
    copies: ['run'],
    commands: ofTraining('@/out/run').slice(4, 5),
  },
  ...['net.onnx', 'ensemble.onnx', 'noisy.onnx', 'steps.onnx', 'stream.onnx', 'external/net.onnx'].map(
    ofOnnx,
  ),
  {
    name: 'external data',
    file: '@/in/external/DATA',
    change: byteChange,
    commands: ofNetwork('@/in/external/net.onnx'),
  },
  {
    name: 'certificate',
    file: '@/in/net.certificate.json',
    change: jsonChange,
    commands: [
      'verify @/in/sound.onnx --certificate @/in/net.certificate.json --devices bits',
      'report @/in/run --out @/out/r.html --certificate @/in/net.certificate.json',
    ],
  },
];

/** A process number that is taken by none. */
const lock = '{"process":4194304,"host":"elsewhere","began":""}\n';
