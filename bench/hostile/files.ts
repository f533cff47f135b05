/** Small sound files of every format that the commands read. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Random } from '../../schemas/random.ts';
import { spikesHdf5 } from './spikes.ts';

const random = Random.fromSeed(5, 'hostile files');
const noise = (length: number, below = 256): Uint8Array =>
  Uint8Array.from({ length }, () => random.nextBelow(below));
const cycled = (count: number, classes: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, example) => example % classes);

/** An IDX file of bytes. */
function idxFile(shape: readonly number[], data: Uint8Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, 8, shape.length]);
  shape.forEach((axis, place) => header.writeUInt32BE(axis, 4 + 4 * place));
  return Buffer.concat([header, data]);
}

/** A file of NumPy. */
function npyFile(type: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const header = `{'descr': '${type}', 'fortran_order': False, 'shape': ${tuple}, }\n`;
  const start = Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 0, 0]);
  start.writeUInt16LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header), data]);
}

const floats = (length: number): Uint8Array =>
  new Uint8Array(Float32Array.from({ length }, () => random.nextUniform()).buffer);

/** A tar file of plain files, in the old format. */
function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Uint8Array {
  const blocks = Object.entries(files).flatMap(([name, content]) => {
    const data = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write(`${data.length.toString(8).padStart(11, '0')} `, 124);
    header.write('        ', 148);
    header.write('0', 156);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

/** Events of N-MNIST, five bytes each. */
const saccades = (count: number): Uint8Array =>
  Uint8Array.from({ length: count }, (_, event) => event).reduce<Uint8Array>(
    (bytes, event) =>
      Buffer.concat([bytes, Uint8Array.of(event % 34, (7 * event) % 34, (event % 2) << 7, event, 9)]),
    new Uint8Array(),
  );

/** A recording of AEDAT 3.1 with one packet of polarity events. */
function aedatFile(events: number): Uint8Array {
  const packet = Buffer.alloc(28 + 8 * events);
  packet.writeInt16LE(1, 0);
  [8, 4, 0, events, events, events].forEach((value, at) => packet.writeInt32LE(value, 4 + 4 * at));
  for (let event = 0; event < events; event++) {
    const place = (((event * 5) % 128) << 17) | (((event * 3) % 128) << 2) | ((event % 2) << 1) | 1;
    packet.writeInt32LE(place, 28 + 8 * event);
    packet.writeInt32LE(1000 + 100 * event, 32 + 8 * event);
  }
  return Buffer.concat([Buffer.from('#!AER-DAT3.1\r\n#Format: RAW\r\n#!END-HEADER\r\n'), packet]);
}

function records(count: number): Uint8Array {
  const bytes = noise(count * 3073);
  for (let record = 0; record < count; record++) bytes[record * 3073] = record % 10;
  return bytes;
}

/** Every file of data, by its path. */
export const dataFiles = (): Readonly<Record<string, Uint8Array | string>> => ({
  'images/train-images-idx3-ubyte': idxFile([30, 4, 4], noise(480)),
  'images/train-labels-idx1-ubyte': idxFile([30], cycled(30, 3)),
  'images/t10k-images-idx3-ubyte': idxFile([20, 4, 4], noise(320)),
  'images/t10k-labels-idx1-ubyte': idxFile([20], cycled(20, 3)),
  'cifar/data_batch_1.bin': records(10),
  'cifar/test_batch.bin': records(2),
  'cifar/batches.meta.txt': 'a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n',
  'npy/train.inputs.npy': npyFile('|u1', [30, 4, 4], noise(480)),
  'npy/train.labels.npy': npyFile(
    '<i8',
    [30],
    new Uint8Array(BigInt64Array.from(cycled(30, 3), BigInt).buffer),
  ),
  'npy/test.inputs.npy': npyFile('|u1', [20, 4, 4], noise(320)),
  'npy/test.labels.npy': npyFile('|u1', [20], cycled(20, 3)),
  'frames/train.frames.npy': npyFile('|u1', [8, 3, 1, 2, 2], noise(96, 2)),
  'frames/train.labels.npy': npyFile('|u1', [8], cycled(8, 2)),
  'regression/inputs.npy': npyFile('<f4', [20, 3], floats(60)),
  'regression/targets.npy': npyFile('<f4', [20, 2], floats(40)),
  'spikes/s.h5': spikesHdf5,
  'nmnist/Train/5/00001.bin': saccades(20),
  'nmnist/Train/7/00002.bin': saccades(9),
  'nmnist/Test/0/00009.bin': saccades(9),
  'nmnist.tar': tarOf({
    'small/bs2/17.bs2': saccades(8),
    'small/bs2/3.bs2': saccades(3),
    'small/train.txt': '#sample #class\r\n17\t5\r\n',
    'small/test9.txt': '3 7\n',
  }),
  'gestures/trials_to_train.txt': 'user07_led.aedat\n',
  'gestures/trials_to_test.txt': 'user07_led.aedat\n',
  'gestures/user07_led.aedat': aedatFile(20),
  'gestures/user07_led_labels.csv': 'class,startTime_usec,endTime_usec\n1,1000,2000\n11,1500,2901\n',
});

/** Writes files by their paths in a folder. */
export function putFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}
