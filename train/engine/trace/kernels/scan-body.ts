import {
  type Attributes,
  Graph,
  type Node,
  removeUnused,
  type Value,
} from '../../../../schemas/onnx/index.ts';
import { fuseProducts } from '../fuse.ts';
import type { Recorder } from '../recorder.ts';
import { as, compact, splatOf, stretched, type Traced, tracedValue } from '../traced.ts';
import { lengthened } from './lengthened.ts';

/** Directions of so many sequences that run backwards. */
const reversed = (count: number): number[] => Array.from({ length: count }, () => 1);

interface ScanBodyOptions {
  /** The body that went forward, of its gradient. */
  readonly forward?: ScanBody;
  /** Whether it goes from the last to the first; a gradient does. */
  readonly backwards?: boolean;
  /** Whether all that it computes stays in it, and nothing is computed for all times at once. */
  readonly alone?: boolean;
}

/**
 * The body of a Scan while it is written.
 *
 * That of a gradient is written on top of the body that went forward: what it computes of that one's values alone
 * becomes part of that one, which keeps for it what it reads. So nothing is computed twice, and nothing is kept that
 * the way back does not need.
 */
export class ScanBody {
  readonly recorder: Recorder;
  /** The recorder of the graph that the Scan is a node of. */
  readonly #outer: Recorder;
  /** The body that went forward, of a gradient. */
  readonly #forward: ScanBody | undefined;
  readonly #backwards: boolean;
  /** Sequences by the value that is their slice. */
  readonly #scanned = new Map<string, Traced>();
  readonly #carried: Value[] = [];
  readonly #initial: Traced[] = [];
  /** What the closed Scan makes of values of the body, [time, …]. */
  readonly #sequences = new Map<string, Traced>();
  #times = 0;
  #node: Value | undefined;

  constructor(outer: Recorder, { forward, backwards = forward !== undefined, alone }: ScanBodyOptions = {}) {
    this.#outer = outer;
    this.#forward = forward;
    this.#backwards = backwards;
    this.recorder = (forward?.recorder ?? outer).body();
    if (!alone) this.recorder.ofAllTimes = (...made) => this.#ofAllTimes(...made);
  }

  /** A slice of a sequence at every step; of what is the same at every time, that. */
  scanned(sequence: Traced): Traced {
    const shape = sequence.shape.slice(1);
    if (splatOf(sequence) !== undefined) return as(sequence, shape);
    const small = compact(sequence);
    const axes = sequence.shape.length - small.shape.length;
    if (axes > 0 || small.shape[0] !== sequence.shape[0]) return this.#everyTime(small, shape, axes === 0);
    const slice = this.recorder.input(small.shape.slice(1));
    this.#scanned.set(this.recorder.value(slice), small);
    // The gradient may ask the scan that went forward for a sequence that it had no need of.
    if (this.#node) this.#outer.read(this.#node, this.#outer.value(small));
    return stretched(slice, shape);
  }

  #everyTime(small: Traced, shape: readonly number[], hasTime: boolean): Traced {
    const own = hasTime ? small.shape.slice(1) : small.shape;
    const value = this.#outer.value(small);
    const given = hasTime
      ? this.#outer.traced('Reshape', [value, this.#outer.integers(own)], {}, own, small.type)
      : tracedValue(value, own, small.type);
    // It may come from what the scan that went forward found, and then that cannot compute with it.
    if (this.#forward) this.recorder.claim(this.#outer.value(given));
    return stretched(given, shape);
  }

  /** The sequence of which the value is a slice, of this body or of the one that went forward. */
  sliced(value: string): Traced | undefined {
    return this.#scanned.get(value) ?? this.#forward?.sliced(value);
  }

  /**
   * One operator on whole sequences instead of one at every step, where it reads slices and what is the same at every
   * time: a scan is left with what depends on the step before.
   */
  #ofAllTimes(op: string, inputs: readonly Value[], attributes: Attributes): Value | undefined {
    const lengthen = lengthened[op];
    if (!lengthen) return undefined;
    const { recorder } = this;
    const shapes = inputs.map((value) =>
      recorder.scalarOf(value) === undefined ? (recorder.shape(value) ?? []) : [],
    );
    const sequences = inputs.map((value) => this.sliced(value));
    const rank = shapes[sequences.findIndex(Boolean)]?.length;
    const fits = inputs.every((value, index) =>
      sequences[index]
        ? shapes[index]!.length === rank
        : !this.#isOfStep(value) && (rank === undefined || shapes[index]!.length <= rank),
    );
    const first = sequences.find(Boolean);
    const found = fits && first && lengthen(recorder, inputs, shapes, attributes, first.shape[0] as number);
    if (!found) return undefined;
    const values = inputs.map((value, index) => {
      const sequence = sequences[index];
      return sequence ? this.#outer.value(sequence) : value;
    });
    const operandsOf = found.second === undefined ? values : [values[0]!, found.second];
    const whole = this.#outer.traced(
      op,
      operandsOf,
      attributes,
      [first.shape[0] as number, ...found.shape],
      'float32',
    );
    return recorder.value(this.scanned(whole));
  }

  /** Whether the value is made anew at every step and is no slice. */
  #isOfStep(value: Value): boolean {
    const made = this.recorder.graph.has(value) && !this.#outer.graph.has(value);
    return made && !this.sliced(value);
  }

  /** What a step finds of what the one before left. */
  carried(initial: Traced): Traced {
    const found = this.recorder.input(initial.shape);
    this.#carried.push(this.recorder.value(found));
    this.#initial.push(initial);
    return found;
  }

  /** What the value is at all times, [time, …]: a sequence that came in, or what the closed Scan keeps of every step. */
  sequenceOf(value: Value): Traced {
    const known = this.#scanned.get(value) ?? this.#sequences.get(value);
    if (known) return known;
    const shape = this.recorder.shape(value);
    if (!shape || !this.#node) throw new Error(`a scan cannot keep '${value}', whose shape is unknown`);
    this.#output(tracedValue(value, shape, 'float32'));
    const kept = this.#outer.extended(this.#node, [this.#times, ...shape]);
    this.#sequences.set(value, kept);
    return kept;
  }

  /** Declares a result of every step, which a node of the body must make. */
  #output(result: Traced): Value {
    const { graph } = this.recorder;
    const value = this.recorder.value(result);
    const made = graph.nodes.some(({ outputs }) => outputs.includes(value));
    const taken = graph.outputs.some(({ name }) => name === value);
    graph.output(made && !taken ? value : graph.node('Identity', [value]), 'float32', [...result.shape]);
    return value;
  }

  /**
   * Makes it a node of the graph around.
   *
   * @param times how many steps there are
   * @param next what each carried tensor becomes
   * @returns `outputs` of all steps, and what the carried ones have become in the end
   */
  close(times: number, next: readonly Traced[], outputs: readonly Traced[]) {
    // A sequence that is known needs no copy of every slice.
    const known = outputs.map((result) => this.sliced(this.recorder.value(result)));
    const made = outputs.filter((_, index) => !known[index]);
    const results = [...next, ...made].map((result) => this.#output(result));
    const body = this.#forward ? this.#apart(this.#forward) : this.#ordered(this.recorder.graph);
    const values = [...this.#initial, ...this.#scanned.values()];
    const found = this.#outer.nodes(
      'Scan',
      values.map((value) => this.#outer.value(value)),
      {
        num_scan_inputs: this.#scanned.size,
        body,
        ...(this.#backwards && {
          scan_input_directions: reversed(this.#scanned.size),
          scan_output_directions: reversed(made.length),
        }),
      },
      [...next.map(({ shape }) => shape), ...made.map(({ shape }) => [times].concat(shape))],
    );
    const sequences = found.slice(next.length);
    sequences.forEach((sequence, index) => {
      this.#sequences.set(results[next.length + index] as Value, sequence);
    });
    this.#times = times;
    this.#node = found[0] && this.#outer.value(found[0]);
    const ofMade = sequences.values();
    return {
      final: found.slice(0, next.length),
      outputs: known.map((sequence) => sequence ?? (ofMade.next().value as Traced)),
    };
  }

  /** The graph with its inputs as Scan wants them: what is carried, then slices. */
  #ordered(graph: Graph): Graph {
    const infos = new Map(graph.inputs.map((info) => [String(info.name), info]));
    const inputs = [...this.#carried, ...this.#scanned.keys()];
    graph.replace({ inputs: inputs.map((name) => infos.get(name)!) });
    return graph;
  }

  /** The body of a gradient as a graph of its own, to which values of the body that went forward come as slices. */
  #apart(forward: ScanBody): Graph {
    const { recorder } = this;
    removeUnused(recorder.graph);
    fuseProducts(recorder.graph, recorder);
    const slices = new Map<string, Value>();
    const sliceOf = (value: Value | ''): Value | '' => {
      if (value === '' || recorder.owns(value) || !forward.recorder.owns(value)) return value;
      const known = slices.get(value);
      if (known) return known;
      const slice = recorder.broadcastable(this.scanned(forward.sequenceOf(value)));
      slices.set(value, slice);
      return slice;
    };
    const nodes = recorder.graph.nodes.map((node): Node => ({ ...node, inputs: node.inputs.map(sliceOf) }));
    const { name, inputs, outputs } = this.#ordered(recorder.graph);
    const graph = new Graph(name, this.#outer.graph);
    graph.replace({ inputs, outputs, nodes });
    return graph;
  }
}
