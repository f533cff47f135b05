import { UserError } from '../../../schemas/errors.ts';
import type { MemoryUse } from '../runner.ts';
import { type Answer, errorOf, type Report, roomFor, type SharedTensors, type Start } from './messages.ts';
import type { StartThread, Thread } from './thread.ts';

/** Places of a thread: while it computes what is in one, the next is written into the other. */
const PLACES = 2;

/** Some examples for whichever thread is free. */
export interface Share {
  readonly feeds: SharedTensors;
  /** Of all feeds. */
  readonly bytes: number;
  readonly outputs: readonly string[];
  /** Writes the feeds where a thread finds them. */
  fill(memory: SharedArrayBuffer): void;
  /** Takes what a thread found out of the memory that it is in, which the next share gets. */
  done(answer: Answer): void;
  failed(error: Error): void;
  /** Aborted where nobody waits for it any more, as another share of its run has failed. */
  readonly signal: AbortSignal;
}

/** Thrown where no thread can be started here: nothing is wrong with the network. */
export class NoThreads extends Error {}

/** A thread, and what it was given. */
interface Member {
  readonly thread: Thread;
  readonly shares: (Share | undefined)[];
  readonly memories: (SharedArrayBuffer | undefined)[];
  use: MemoryUse;
}

const nothing: MemoryUse = { weights: 0, now: 0, peak: 0 };

const busy = ({ shares }: Member): number => shares.filter(Boolean).length;

/** Threads that have all opened one network, and compute shares as they come. */
export class Pool {
  readonly #what: string;
  readonly #members = new Set<Member>();
  #queue: Share[] = [];

  private constructor(what: string) {
    this.#what = what;
  }

  /** @throws NoThreads where none start, and UserError where one cannot open the network */
  static async open(start: StartThread, count: number, order: Start): Promise<Pool> {
    const pool = new Pool(order.what);
    try {
      await Promise.all(Array.from({ length: count }, () => pool.#join(start, order)));
    } catch (error) {
      await pool.end();
      throw error;
    }
    for (const { thread } of pool.#members) thread.hold(false);
    return pool;
  }

  /** Threads that are left. */
  get size(): number {
    return this.#members.size;
  }

  get uses(): readonly MemoryUse[] {
    return [...this.#members].map(({ use }) => use);
  }

  /** Computes some examples as soon as a thread has a place for them. */
  give(share: Share): void {
    this.#queue.push(share);
    this.#goOn();
  }

  /** Ends all threads; what they have not computed yet fails. */
  async end(): Promise<void> {
    const members = [...this.#members];
    this.#members.clear();
    const error = new UserError(
      `${this.#what}: it was closed while it computed; await what runs before that`,
    );
    this.#fail([...members.flatMap(({ shares }) => shares), ...this.#queue.splice(0)], error);
    await Promise.all(members.map(({ thread }) => thread.end()));
  }

  #join(start: StartThread, order: Start): Promise<void> {
    return new Promise((resolve, reject) => {
      let member: Member | undefined;
      const onReport = (report: Report): void => {
        if (report.kind === 'refused') reject(errorOf(report.failure));
        else if (member) {
          if ('use' in report) member.use = report.use;
          if (report.kind === 'ready') resolve();
          else this.#take(member, report);
        }
      };
      const onEnd = (why: string): void => {
        reject(new NoThreads(why));
        if (member) this.#lose(member, why);
      };
      try {
        const thread = start({ onReport, onEnd });
        member = { thread, shares: Array(PLACES).fill(undefined), memories: [], use: nothing };
        this.#members.add(member);
        thread.tell(order);
      } catch (cause) {
        reject(new NoThreads((cause as Error).message, { cause }));
      }
    });
  }

  /** Gives what waits to the threads that have the least to do. */
  #goOn(): void {
    for (let level = 0; level < PLACES; level++) {
      for (const member of this.#members) {
        if (busy(member) !== level) continue;
        const share = this.#next();
        if (!share) return;
        this.#assign(member, share);
      }
    }
  }

  #next(): Share | undefined {
    this.#queue = this.#queue.filter(({ signal }) => !signal.aborted);
    return this.#queue.shift();
  }

  #assign({ thread, shares, memories }: Member, share: Share): void {
    const place = shares.indexOf(undefined);
    const memory = roomFor(share.bytes, memories[place]);
    memories[place] = memory;
    shares[place] = share;
    share.fill(memory);
    thread.hold(true);
    thread.tell({ kind: 'run', place, memory, feeds: share.feeds, outputs: share.outputs });
  }

  #take(member: Member, report: Extract<Report, { place: number }>): void {
    const share = member.shares[report.place];
    member.shares[report.place] = undefined;
    if (busy(member) === 0) member.thread.hold(false);
    if (share && !share.signal.aborted) {
      if (report.kind === 'done') share.done(report);
      else share.failed(errorOf(report.failure));
    }
    this.#goOn();
  }

  /** What a thread has not computed is lost with it; the others go on. */
  #lose(member: Member, why: string): void {
    if (!this.#members.delete(member)) return;
    const error = new UserError(
      `${this.#what}: a thread that computed examples is gone (${why}); run them again, and open the network with fewer threads if it happens again`,
    );
    this.#fail(member.shares, error);
    if (this.#members.size === 0) this.#fail(this.#queue.splice(0), error);
    this.#goOn();
  }

  #fail(shares: readonly (Share | undefined)[], error: Error): void {
    for (const share of shares) if (share && !share.signal.aborted) share.failed(error);
  }
}
