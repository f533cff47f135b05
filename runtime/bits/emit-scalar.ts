import { LANES, type Lanes, type Opcodes } from './emit-kernel.ts';
import type { Part } from './lanes.ts';
import { type Code, F32, floatBytes, I32 } from './wasm-writer.ts';

const opcodes: Opcodes = {
  add: { i32: 0x6a, f32: 0x92 },
  subtract: { i32: 0x6b, f32: 0x93 },
  multiply: { f32: 0x94 },
  divide: { f32: 0x95 },
  minimum: { f32: 0x96 },
  maximum: { f32: 0x97 },
  nearest: { f32: 0x90 },
  ceil: { f32: 0x8d },
  floor: { f32: 0x8e },
  absolute: { f32: 0x8b },
  negate: { f32: 0x8c },
  sqrt: { f32: 0x91 },
  greater: { i32: 0x4a, f32: 0x5e },
  greaterOrEqual: { i32: 0x4e, f32: 0x60 },
  equal: { i32: 0x46, f32: 0x5b },
  and: { i32: 0x71 },
  or: { i32: 0x72 },
  xor: { i32: 0x73 },
};

/** The lanes of a block one after another, for engines without vectors. A mask is 1 where it is set. */
export function emitScalarLanes({ code, lowered, places, kept }: Lanes): void {
  const { parts, streams, results } = lowered;
  const registers = parts.map(({ lane }) => code.local(lane === 'f32' ? F32 : I32));
  const words = streams.map(({ form }) => (form === 'bits' ? code.local(I32) : -1));
  const made = results.map(({ form }) => (form === 'bits' ? code.local(I32) : -1));
  const lane = code.local(I32);
  words.forEach((word, stream) => {
    if (word >= 0)
      code
        .get(places[stream] as number)
        .op(0x2f, 0, 0)
        .set(word);
  });
  for (const word of made) if (word >= 0) code.integer(0).set(word);
  code.integer(0).set(lane);
  code.repeat(() => {
    parts.forEach((part, index) => {
      emit(part);
      code.set(registers[index] as number);
    });
    results.forEach(({ form, part }, index) => {
      const register = registers[part] as number;
      const target = places[streams.length + index] as number;
      if (form === 'bits') {
        const word = made[index] as number;
        code.get(word).get(register).get(lane).op(0x74).op(0x72).set(word);
      } else if (form === 'u8') code.get(target).get(lane).op(0x6a).get(register).op(0x3a, 0, 0);
      else
        element(code, target, lane)
          .get(register)
          .op(form === 'f32' ? 0x38 : 0x36, 0, 0);
    });
    code.increase(lane, 1).get(lane).integer(LANES).op(0x49);
  });
  made.forEach((word, index) => {
    if (word < 0) return;
    code
      .get(places[streams.length + index] as number)
      .get(word)
      .get(kept)
      .op(0x71)
      .op(0x3b, 0, 0);
  });

  function emit({ op, lane: kindOfResult, args, value, stream, amount }: Part): void {
    const given = args.map((arg) => registers[arg] as number);
    const place = stream === undefined ? -1 : (places[stream] as number);
    const kind = parts[args[0] as number]?.lane;
    if (op === 'load' || op === 'vector' || op === 'repeat') {
      const form = streams[stream as number]?.form;
      if (form === 'bits') {
        code
          .get(words[stream as number] as number)
          .get(lane)
          .op(0x76)
          .integer(1)
          .op(0x71);
      } else if (form === 'u8') code.get(place).get(lane).op(0x6a).op(0x2d, 0, 0);
      else element(code, place, lane).op(form === 'f32' ? 0x2a : 0x28, 0, 0);
      return;
    }
    if (op === 'spread') {
      code.get(place).op(0x2a, 0, 0);
      return;
    }
    if (op === 'number') {
      code.op(0x43, ...floatBytes(value as number));
      return;
    }
    if (op === 'toFloat' && kind === 'mask') {
      code.op(0x43, ...floatBytes(amount as number)).op(0x43, ...floatBytes(0));
      code.get(given[0] as number).op(0x1b);
      return;
    }
    if (op === 'toInteger' && kind === 'mask') {
      code
        .integer(amount as number)
        .integer(0)
        .get(given[0] as number)
        .op(0x1b);
      return;
    }
    if (op === 'toFloat') {
      code.get(given[0] as number).op(0xb2);
      return;
    }
    if (op === 'toInteger') {
      code.get(given[0] as number).op(0xfc, 0x00);
      return;
    }
    if (op === 'select') {
      const [mask = 0, a = 0, b = 0] = given;
      code.get(a).get(b).get(mask).op(0x1b);
      return;
    }
    if (op === 'not') {
      code.get(given[0] as number).op(0x45);
      return;
    }
    for (const register of given) code.get(register);
    const by = kindOfResult === 'mask' ? (kind === 'f32' ? 'f32' : 'i32') : kindOfResult;
    if (by === 'i32' && (op === 'minimum' || op === 'maximum')) {
      const [a = 0, b = 0] = given;
      code
        .get(a)
        .get(b)
        .op(op === 'minimum' ? 0x48 : 0x4a)
        .op(0x1b);
      return;
    }
    const found = opcodes[op]?.[by];
    if (found === undefined) throw new Error(`no instruction for ${op} of ${by}`);
    code.op(found);
  }
}

/** The address of the lane's number of 32 bits. */
const element = (code: Code, place: number, lane: number): Code =>
  code.get(place).get(lane).integer(2).op(0x74).op(0x6a);
