import { UserError } from '../../schemas/errors.ts';
import { compile, type InputShape, type Program } from './compile.ts';
import type { Engine } from './engine.ts';
import type { FlatGraph } from './flat-graph.ts';
import { OutOfMemory } from './memory.ts';

/** Programs that are kept: each is for inputs of certain dims. */
const KEPT = 4;

/** The dims of every input. */
export type Shapes = ReadonlyMap<string, InputShape>;

export function keyOf(shapes: Shapes): string {
  let key = '';
  for (const [name, { dims }] of shapes) key += `${name}:${dims.join()};`;
  return key;
}

/** The programs of a network by the dims of their inputs, the last used last. Nothing stays in one between two runs. */
export class Programs {
  readonly #engine: Engine;
  readonly #graph: FlatGraph;
  readonly #kept = new Map<string, Program>();
  #lastKey: string | undefined;
  #isClosed = false;
  /** The one that was asked for last. */
  last: Program | undefined;

  constructor(engine: Engine, graph: FlatGraph) {
    this.#engine = engine;
    this.#graph = graph;
  }

  /** @throws UserError where the graph does not take such inputs, or the network is closed */
  of(shapes: Shapes, key = keyOf(shapes)): Program {
    if (key === this.#lastKey) return this.last as Program;
    if (this.#isClosed) throw new UserError('the network is closed; load it again');
    const known = this.#kept.get(key);
    if (known) this.#kept.delete(key);
    else while (this.#kept.size >= KEPT) this.#freeOldest();
    const found = known ?? this.#planned(shapes);
    this.#kept.set(key, found);
    this.#lastKey = key;
    this.last = found;
    return found;
  }

  close(): void {
    while (this.#kept.size > 0) this.#freeOldest();
    this.#isClosed = true;
  }

  /** A program more; where there is no room for it, in place of all others. */
  #planned(shapes: Shapes): Program {
    try {
      return compile(this.#engine, this.#graph, shapes);
    } catch (error) {
      if (!(error instanceof OutOfMemory) || this.#kept.size === 0) throw error;
      while (this.#kept.size > 0) this.#freeOldest();
      return compile(this.#engine, this.#graph, shapes);
    }
  }

  #freeOldest(): void {
    const [key] = this.#kept.keys();
    const program = this.#kept.get(key as string);
    program?.free();
    this.#kept.delete(key as string);
    if (program !== this.last) return;
    this.#lastKey = undefined;
    this.last = undefined;
  }
}
