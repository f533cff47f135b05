import { UserError } from '../../schemas/errors.ts';

const PAGE = 65536;
/** What kernels may read and write behind the end of a block. */
const SLACK = 64;
const ALIGNMENT = 64;
/** A memory of WebAssembly has no more than 4 GiB; one page less keeps every end below 2³². */
const MOST = 65535;

/** The memory cannot hold what a program needs. */
export class OutOfMemory extends UserError {
  constructor(bytes: number, cause?: unknown) {
    super(
      `device bits: no memory for ${Math.ceil(bytes / 2 ** 20)} MiB; run fewer examples at once`,
      cause === undefined ? {} : { cause },
    );
  }
}

/** A part of the memory: where it begins, and its length in bytes. */
export interface Block {
  readonly at: number;
  readonly bytes: number;
}

/** The memory that a network's kernels share: weights for as long as it is open, activations per program. */
export class Heap {
  readonly memory = new WebAssembly.Memory({ initial: 1 });
  /** Blocks that were freed, by where they begin. */
  #free: Block[] = [];
  /** The first bytes stay unused, so that no block begins at 0. */
  #end = ALIGNMENT;
  #used = 0;
  #peak = 0;
  #bytes = new Uint8Array(this.memory.buffer);

  /** All of it; a new array after it has grown. */
  get bytes(): Uint8Array {
    if (this.#bytes.buffer !== this.memory.buffer) this.#bytes = new Uint8Array(this.memory.buffer);
    return this.#bytes;
  }

  /** A part of the memory as an array, made anew only after the memory has grown. */
  view<Data extends Float32Array | Int32Array | Uint8Array>(
    kind: new (buffer: ArrayBuffer, at: number, length: number) => Data,
    at: number,
    length: number,
  ): () => Data {
    const { memory } = this;
    let kept = new kind(memory.buffer, at, length);
    return () => {
      if (kept.buffer !== memory.buffer) kept = new kind(memory.buffer, at, length);
      return kept;
    };
  }

  /** Bytes in use, and the most that ever were. */
  get used(): { readonly now: number; readonly peak: number } {
    return { now: this.#used, peak: this.#peak };
  }

  /** A block of zeros. @throws OutOfMemory where the memory cannot hold it */
  allocate(bytes: number): Block {
    if (!(bytes >= 0)) throw new Error(`cannot allocate ${bytes} bytes`);
    if (bytes > MOST * PAGE) throw new OutOfMemory(bytes);
    const size = Math.ceil((bytes + SLACK) / ALIGNMENT) * ALIGNMENT;
    const index = this.#free.findIndex((block) => block.bytes >= size);
    const found = this.#free[index];
    let at: number;
    if (found) {
      at = found.at;
      const rest = { at: at + size, bytes: found.bytes - size };
      this.#free.splice(index, 1, ...(rest.bytes > 0 ? [rest] : []));
    } else {
      at = this.#end;
      this.#reach(at + size);
      this.#end = at + size;
    }
    this.bytes.fill(0, at, at + size);
    this.#used += size;
    this.#peak = Math.max(this.#peak, this.#used);
    return { at, bytes: size };
  }

  /** Gives a block back. */
  free(block: Block): void {
    this.#used -= block.bytes;
    this.#free.push(block);
    this.#free.sort((a, b) => a.at - b.at);
    const joined: Block[] = [];
    for (const next of this.#free) {
      const last = joined.at(-1);
      if (last && last.at + last.bytes === next.at)
        joined[joined.length - 1] = { at: last.at, bytes: last.bytes + next.bytes };
      else joined.push(next);
    }
    this.#free = joined;
  }

  #reach(end: number): void {
    const pages = Math.ceil(end / PAGE);
    const missing = pages - this.memory.buffer.byteLength / PAGE;
    if (missing <= 0) return;
    try {
      if (pages > MOST) throw new RangeError('4 GiB is all there is');
      this.memory.grow(missing);
    } catch (cause) {
      throw new OutOfMemory(end, cause);
    }
  }
}
