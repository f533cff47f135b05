/** Runs hostile inputs in processes that may crash, hang or eat memory, and says which did. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { caseOf, type Judged, runCase } from './case.ts';
import type { Order, Report } from './messages.ts';
import type { Ended } from './run-here.ts';

/** The program beside this file: compiled as it is. */
const program = fileURLToPath(new URL('./child.js', import.meta.url));
const commandLine = fileURLToPath(new URL('../../cli/main.js', import.meta.url));

/** Cases that one process runs: onnxruntime and WebAssembly keep some memory of every model. */
const ONE_PROCESS = 400;

export interface Limits {
  /** Seconds that one input may take. */
  readonly seconds: number;
  /** Bytes by which one input may let the process grow. */
  readonly bytes: number;
}

const childOf = (): ChildProcess =>
  fork(program, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], execArgv: ['--max-old-space-size=2048'] });

/** Makes the fixtures in a process of its own. @throws Error where they cannot be made */
export function prepare(folder: string): Promise<void> {
  const child = childOf();
  const order: Order = { kind: 'fixtures', folder };
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise<void>((resolve, reject) => {
    child.on('message', (report: Report) => {
      if (report.kind === 'ready') resolve();
      else if (report.kind === 'broken') reject(new Error(report.reason));
    });
    child.on('exit', (code) => reject(new Error(`the fixtures ended with ${code}: ${stderr}`)));
    child.send(order);
  }).finally(() => child.kill());
}

/**
 * Runs cases of a seed in order.
 *
 * @param tell told of each case as it ends, and of one that ended its process
 */
export async function runCases(
  seed: number,
  numbers: readonly number[],
  folder: string,
  limits: Limits,
  tell: (judged: Judged) => void,
): Promise<void> {
  let rest = numbers;
  while (rest.length > 0) {
    const turn = rest.slice(0, ONE_PROCESS);
    const done = await runTurn(seed, turn, folder, limits, tell);
    rest = rest.slice(done);
  }
}

/** How many of the cases were run until the process ended, by itself or because of one of them. */
function runTurn(
  seed: number,
  numbers: readonly number[],
  folder: string,
  { seconds, bytes }: Limits,
  tell: (judged: Judged) => void,
): Promise<number> {
  const child = childOf();
  const order: Order = { kind: 'run', seed, numbers, folder };
  let [done, memory, stderr, fault] = [0, 0, '', ''];
  let timer: NodeJS.Timeout | undefined;
  // Libraries write past what Node hands out: that is standard error too.
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return new Promise<number>((resolve, reject) => {
    child.on('message', (report: Report) => {
      clearTimeout(timer);
      if (report.kind === 'broken') reject(new Error(report.reason));
      else if (report.kind === 'done') child.kill();
      else if (report.kind === 'begun') {
        timer = setTimeout(() => {
          fault = `took more than ${seconds} s`;
          child.kill('SIGKILL');
        }, seconds * 1000);
      } else if (report.kind === 'judged') {
        const grown = memory > 0 && report.memory - memory > bytes;
        memory = report.memory;
        const { judged } = report;
        const found = grown
          ? `took ${Math.round(bytes / 1e6)} MB or more`
          : stderr && `wrote ${stderr.slice(0, 300)}`;
        stderr = '';
        done++;
        tell(judged.fault === undefined && found ? { ...judged, fault: found } : judged);
      }
    });
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      if (done < numbers.length) {
        const how = fault || `the process ended with ${signal ?? code}: ${stderr.slice(-300)}`;
        const number = numbers[done] as number;
        tell({ ...caseOf(seed, number, folder), code, seconds, line: '', fault: how });
        done++;
      }
      resolve(done);
    });
    child.send(order);
  }).finally(() => {
    clearTimeout(timer);
    child.kill('SIGKILL');
  });
}

/** Runs one case by the real command line, a process of its own. */
export const runProcess = (seed: number, number: number, folder: string, seconds: number): Promise<Judged> =>
  runCase(
    seed,
    number,
    folder,
    (args) =>
      new Promise<Ended>((resolve, reject) => {
        const started = performance.now();
        const child = spawn(process.execPath, [commandLine, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
        let stderr = '';
        child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
        child.stdout.on('data', (chunk: Buffer) => {
          if (chunk.toString().includes('/v2/models/')) child.kill('SIGINT');
        });
        // What trains long is told to stop, as a user would; what does not stop then hangs.
        const stop = setTimeout(() => child.kill('SIGINT'), seconds * 500);
        const end = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
        child.on('error', reject);
        child.on('close', (code) => {
          clearTimeout(stop);
          clearTimeout(end);
          resolve({ code, stderr, seconds: (performance.now() - started) / 1000 });
        });
      }),
  );
