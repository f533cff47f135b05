/**
 * What the time of a step is: how long it took, or how long a processor worked on it in all its threads. On a machine with
 * other work the second says of one thread what the first would say on a quiet one.
 */
export const clocks = ['wall', 'processor'] as const;
export type Clock = (typeof clocks)[number];

/** Milliseconds on a clock, of this process. */
export const timeOn = (clock: Clock): number => {
  if (clock === 'wall') return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

/** One side of a comparison. */
export interface Contender {
  readonly name: string;
  prepare(): Promise<void>;
  /** Runs so many steps; resolves to the milliseconds of each. */
  steps(count: number): Promise<number[]>;
  close(): Promise<void>;
}

/** Why a side of a comparison cannot run here, and what to do about it. */
export interface Absent {
  readonly absent: string;
}

/** A line of a bench's result; a side that cannot run is null. */
export interface Row {
  readonly name: string;
  readonly peer: string;
  readonly ours: number | null;
  readonly theirs: number | null;
  readonly unit: string;
  /** ours / theirs: below 1, ours is faster. */
  readonly ratio: number | null;
}

/** What a bench found: rows, and what a reader should know to judge them. */
export interface Findings {
  readonly rows: Row[];
  readonly notes: string[];
  /** Printed in place of the table of ours and theirs, by a bench whose rows hold more than that. */
  readonly table?: string;
}

export interface Rounds {
  /** How often the contenders take turns. */
  readonly rounds: number;
  /** Steps of each contender in a round. */
  readonly steps: number;
  /** Steps of each contender before the first round, not counted. */
  readonly warmUp: number;
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
};

/**
 * The median milliseconds of a step of each contender. They take turns (ours, theirs, ours, theirs, …), so
 * that whatever slows the machine for a while slows them all.
 */
export const measure = async (
  contenders: readonly Contender[],
  { rounds, steps, warmUp }: Rounds,
): Promise<number[]> => {
  for (const contender of contenders) {
    await contender.prepare();
    await contender.steps(warmUp);
  }
  const times = contenders.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contender] of contenders.entries()) {
      times[index]!.push(...(await contender.steps(steps)));
    }
  }
  return times.map(median);
};

export const isPresent = (side: Contender | Absent): side is Contender => !('absent' in side);

/**
 * Measures ours against each of the others, all taking turns; a side that is absent leaves its place in its row empty.
 *
 * @param peers names of the others, in their order
 * @param after is called when the times are taken and all are still there
 */
export const compareAll = async (
  name: string,
  peers: readonly string[],
  sides: readonly [Contender | Absent, ...(Contender | Absent)[]],
  rounds: Rounds,
  after: () => Promise<void> = async () => {},
): Promise<Findings> => {
  const [ours, ...theirs] = sides;
  const present = sides.filter(isPresent);
  try {
    const medians = await measure(present, rounds);
    await after();
    const medianOf = (side: Contender | Absent) =>
      isPresent(side) ? rounded(medians[present.indexOf(side)]!) : null;
    const own = medianOf(ours);
    return {
      rows: theirs.map((side, index) => {
        const other = medianOf(side);
        const ratio = own === null || other === null ? null : rounded(own / other);
        return { name, peer: peers[index]!, ours: own, theirs: other, unit: 'ms', ratio };
      }),
      notes: sides.flatMap((side) => (isPresent(side) ? [] : [`${name}: ${side.absent}`])),
    };
  } finally {
    await Promise.all(present.map((side) => side.close()));
  }
};

/** Four digits say all that such a measurement knows. */
export const rounded = (value: number): number => Number(value.toPrecision(4));
