import { InvalidArgumentError } from 'commander';
import type { Schedule } from '../train/index.ts';

type Shaped = Exclude<Schedule, number>;
type Shape = Shaped['shape'];

const refuse = (): never => {
  throw new InvalidArgumentError(
    'Expected NUMBER, [linear:|cosine:|exponential:]FROM:TO[:START:END], step:FROM:FACTOR@PART,PART or ' +
      'constant:VALUE; +warmup:PART[:FROM] can follow.',
  );
};

function number(text: string): number {
  const value = Number(text);
  return text.trim() === '' || !Number.isFinite(value) ? refuse() : value;
}

type Reader = (text: string) => Shaped;

const wayOf =
  (shape: 'linear' | 'cosine' | 'exponential'): Reader =>
  (text) => {
    const numbers = text.split(':').map(number);
    const [from = Number.NaN, to = Number.NaN, start = 0, end = 1] = numbers;
    return [2, 4].includes(numbers.length) ? { shape, from, to, start, end } : refuse();
  };

/** How the text after the name of each shape is read. */
const readers: Record<Shape, Reader> = {
  constant: (text) => ({ shape: 'constant', value: number(text) }),
  linear: wayOf('linear'),
  cosine: wayOf('cosine'),
  exponential: wayOf('exponential'),
  step(text) {
    const [, from, factor, at] = /^([^:@]*):([^:@]*)@([^:@]*)$/.exec(text) ?? refuse();
    return { shape: 'step', from: number(from!), factor: number(factor!), at: at!.split(',').map(number) };
  },
};

const isShape = (name: string): name is Shape => Object.hasOwn(readers, name);

function warmUpOf(text: string): NonNullable<Shaped['warmUp']> {
  const [over = Number.NaN, from, ...more] = text.split(':').map(number);
  if (more.length > 0) return refuse();
  return from === undefined ? over : { over, from };
}

/**
 * Reads a schedule: `0.01` stays, `0.05:0.001` goes from one to the other and `1:0.05:0.4:0.9` does so between two
 * parts of the training, both by the usual shape; `linear:0:0.02` names its shape, `step:0.05:0.1@0.5,0.75` is
 * multiplied by 0.1 at these parts. `+warmup:0.05` behind any of them lets it rise from 0 first.
 */
export const scheduleReader =
  (usual: 'linear' | 'cosine' | 'exponential') =>
  (text: string): Schedule => {
    const [way = '', warmUp, ...more] = text.split('+warmup:');
    if (more.length > 0) return refuse();
    const [name, ...rest] = way.split(':') as [string, ...string[]];
    if (warmUp === undefined && rest.length === 0) return number(name);
    const shaped = isShape(name)
      ? readers[name](rest.join(':'))
      : readers[rest.length === 0 ? 'constant' : usual](way);
    return warmUp === undefined ? shaped : { ...shaped, warmUp: warmUpOf(warmUp) };
  };
