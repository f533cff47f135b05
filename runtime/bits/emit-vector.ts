import { LANES, type Lanes, type Opcodes } from './emit-kernel.ts';
import type { Part } from './lanes.ts';
import { floatBytes, I32, signed, unsigned, V128 } from './wasm-writer.ts';

/** Numbers in a vector. */
const WIDTH = 4;

const opcodes: Opcodes = {
  add: { i32: 0xae, f32: 0xe4 },
  subtract: { i32: 0xb1, f32: 0xe5 },
  multiply: { f32: 0xe6 },
  divide: { f32: 0xe7 },
  minimum: { i32: 0xb6, f32: 0xe8 },
  maximum: { i32: 0xb8, f32: 0xe9 },
  nearest: { f32: 0x6a },
  ceil: { f32: 0x67 },
  floor: { f32: 0x68 },
  absolute: { f32: 0xe0 },
  negate: { f32: 0xe1 },
  sqrt: { f32: 0xe3 },
  greater: { i32: 0x3b, f32: 0x44 },
  greaterOrEqual: { i32: 0x3f, f32: 0x46 },
  equal: { i32: 0x37, f32: 0x41 },
  and: { i32: 0x4e },
  or: { i32: 0x50 },
  xor: { i32: 0x51 },
  not: { i32: 0x4d },
};

const SPLAT_I32 = 0x11;
const SPLAT_F32 = 0x13;
const AND = 0x4e;

/** The lanes of a block, four vectors one after another. A mask is all ones where it is set. */
export function emitVectorLanes({ code, lowered, places, kept }: Lanes): void {
  const { parts, streams, results } = lowered;
  const registers = parts.map(() => code.local(V128));
  const words = streams.map(({ form }) => (form === 'bits' ? code.local(I32) : -1));
  // What is narrowed to bits or bytes waits for all four vectors.
  const waiting = results.map(({ form }) =>
    form === 'bits' || form === 'u8' ? Array.from({ length: 4 }, () => code.local(V128)) : [],
  );
  words.forEach((word, stream) => {
    if (word >= 0)
      code
        .get(places[stream] as number)
        .op(0x2f, 0, 0)
        .set(word);
  });
  for (let vector = 0; vector < LANES / WIDTH; vector++) {
    parts.forEach((part, index) => {
      emit(part, vector);
      code.set(registers[index] as number);
    });
    results.forEach(({ form, part }, index) => {
      const register = registers[part] as number;
      const held = waiting[index]?.[vector];
      if (held !== undefined) code.get(register).set(held);
      else {
        code.get(places[streams.length + index] as number).get(register);
        code.simd(0x0b, 0, vector * (form === 'f32' || form === 'i32' ? 16 : 0));
      }
    });
  }
  results.forEach(({ form }, index) => {
    const [a, b, c, d] = waiting[index] as [number, number, number, number];
    if (a === undefined) return;
    code.get(places[streams.length + index] as number);
    code.get(a).get(b).simd(0x85).get(c).get(d).simd(0x85);
    if (form === 'bits') code.simd(0x65).simd(0x64).get(kept).op(0x71).op(0x3b, 0, 0);
    else code.simd(0x66).simd(0x0b, 0, 0);
  });

  function emit({ op, lane, args, value, stream, amount }: Part, vector: number): void {
    const given = args.map((arg) => registers[arg] as number);
    const place = stream === undefined ? -1 : (places[stream] as number);
    const kind = parts[args[0] as number]?.lane;
    if (op === 'load' || op === 'vector' || op === 'repeat') {
      const form = streams[stream as number]?.form;
      if (form === 'bits') {
        const chosen = [0, 1, 2, 3].flatMap((lane) => word32(1 << (vector * WIDTH + lane)));
        code.get(words[stream as number] as number).simd(SPLAT_I32);
        code.simd(0x0c, ...chosen).simd(AND);
        code.simd(0x0c, ...chosen).simd(0x37);
      } else if (form === 'u8')
        code
          .get(place)
          .simd(0x5c, 0, ...unsigned(vector * WIDTH))
          .simd(0x89)
          .simd(0xa9);
      else code.get(place).simd(0x00, 0, ...unsigned(vector * 16));
      return;
    }
    if (op === 'spread') {
      code.get(place).simd(0x09, 0, 0);
      return;
    }
    if (op === 'number') {
      code.op(0x43, ...floatBytes(value as number)).simd(SPLAT_F32);
      return;
    }
    if (op === 'toFloat' && kind === 'mask') {
      code
        .get(given[0] as number)
        .op(0x43, ...floatBytes(amount as number))
        .simd(SPLAT_F32)
        .simd(AND);
      return;
    }
    if (op === 'toInteger' && kind === 'mask') {
      code
        .get(given[0] as number)
        .op(0x41, ...signed(amount as number))
        .simd(SPLAT_I32)
        .simd(AND);
      return;
    }
    if (op === 'toFloat' || op === 'toInteger') {
      code.get(given[0] as number).simd(op === 'toFloat' ? 0xfa : 0xf8);
      return;
    }
    if (op === 'select') {
      const [mask = 0, a = 0, b = 0] = given;
      code.get(a).get(b).get(mask).simd(0x52);
      return;
    }
    for (const register of given) code.get(register);
    const by = lane === 'mask' ? (kind === 'f32' ? 'f32' : 'i32') : lane;
    const found = opcodes[op]?.[by];
    if (found === undefined) throw new Error(`no instruction for ${op} of ${by}`);
    code.simd(found);
  }
}

const word32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
