/** Just enough of WebAssembly's binary format to write one function. */

/** Types of locals. */
export const I32 = 0x7f;
export const F32 = 0x7d;
export const V128 = 0x7b;

/** An integer without a sign, seven bits a byte. */
export function unsigned(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  do {
    const low = rest % 128;
    rest = Math.floor(rest / 128);
    bytes.push(rest > 0 ? low + 128 : low);
  } while (rest > 0);
  return bytes;
}

/** An int32, seven bits a byte. */
export function signed(value: number): number[] {
  const bytes: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 127;
    rest >>= 7;
    if ((rest === 0 && low < 64) || (rest === -1 && low >= 64)) return [...bytes, low];
    bytes.push(low + 128);
  }
}

export const floatBytes = (value: number): number[] => [...new Uint8Array(new Float32Array([value]).buffer)];

const section = (id: number, body: readonly number[]): number[] => [id, ...unsigned(body.length), ...body];
const text = (value: string): number[] => [
  ...unsigned(value.length),
  ...[...value].map((letter) => letter.charCodeAt(0)),
];

/** The body of a function, instruction by instruction. */
export class Code {
  readonly bytes: number[] = [];
  readonly #parameters: number;
  readonly #locals: number[] = [];

  /** @param parameters all int32, the first locals */
  constructor(parameters: number) {
    this.#parameters = parameters;
  }

  /** A new local; returns its index. */
  local(type: number): number {
    this.#locals.push(type);
    return this.#parameters + this.#locals.length - 1;
  }

  op(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  /** A vector instruction. */
  simd(code: number, ...rest: number[]): this {
    return this.op(0xfd, ...unsigned(code), ...rest);
  }

  get(local: number): this {
    return this.op(0x20, ...unsigned(local));
  }

  set(local: number): this {
    return this.op(0x21, ...unsigned(local));
  }

  integer(value: number): this {
    return this.op(0x41, ...signed(value));
  }

  /** local ← local + amount, the amount being another local or a number. */
  increase(local: number, by: { readonly local: number } | number): this {
    this.get(local);
    if (typeof by === 'number') this.integer(by);
    else this.get(by.local);
    return this.op(0x6a).set(local);
  }

  /** Repeats `body`, which leaves a condition on the stack, while that is not 0. */
  repeat(body: () => void): this {
    this.op(0x03, 0x40);
    body();
    return this.op(0x0d, 0x00, 0x0b);
  }

  /** The module: a memory is imported as `env.memory`, the function exported as `run`. */
  module(): Uint8Array<ArrayBuffer> {
    const parameters = Array.from({ length: this.#parameters }, () => I32);
    const locals = this.#locals.flatMap((type) => [1, type]);
    const body = [...unsigned(this.#locals.length), ...locals, ...this.bytes, 0x0b];
    return Uint8Array.from([
      0,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      ...section(1, [1, 0x60, ...unsigned(parameters.length), ...parameters, 0]),
      ...section(2, [1, ...text('env'), ...text('memory'), 2, 0, 1]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...text('run'), 0, 0]),
      ...section(10, [1, ...unsigned(body.length), ...body]),
    ]);
  }
}
