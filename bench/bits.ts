/**
 * The 1-bit engine against onnxruntime with the same network, one call at a time on one thread, packing of the inputs
 * included, in Node and in Chromium: onnxruntime-web with float32 weights and with integers, onnxruntime-node with
 * integers (steps of a stream also without our runner), and snnTorch.
 */
import { parseArgs } from 'node:util';
import { chooseDevice } from '../runtime/auto.ts';
import { describe } from '../schemas/description.ts';
import { readModel } from '../schemas/onnx/index.ts';
import { type BareName, bareContender } from './bits/bare.ts';
import { type Case, type CaseName, cases, inputsOf } from './bits/cases.ts';
import { chromiumPeers, type NamedCase, openPages } from './bits/chromium.ts';
import {
  bitsContender,
  type PeerName,
  peers,
  runtimeContender,
  snnTorchContender,
} from './bits/contenders.ts';
import { bytesOf } from './bits/feeds.ts';
import { peakRate } from './bits/peak.ts';
import { startChromium } from './browser/chromium.ts';
import { type Absent, type Contender, compareAll, type Findings, type Rounds } from './harness.ts';
import { integers, severalOf } from './options.ts';

const places = ['node', 'chromium'] as const;

/** What is measured in Chromium too: what a page does, one example at a time. */
const inPages: readonly CaseName[] = [
  'dense-1024/1',
  'dense-4096/1',
  'dense-4096-5%/1',
  'snn/1',
  'conv/1',
  'stream-step',
];

/** `--cases dense-1024/1,snn/1 --where node,chromium --peers ort-web,ort-node --rounds 5 --steps 20 --threads 2 --batch 256`. */
export async function run(options: string[]): Promise<Findings> {
  const names = Object.keys(cases) as CaseName[];
  const { values } = parseArgs({
    args: options,
    options: {
      cases: { type: 'string', default: names.join() },
      where: { type: 'string', default: places.join() },
      peers: { type: 'string', default: peers.join() },
      rounds: { type: 'string', default: '5' },
      steps: { type: 'string', default: '20' },
      threads: { type: 'string', default: '1' },
      batch: { type: 'string' },
    },
  });
  const chosen = severalOf('peers', values.peers, peers);
  const where = severalOf('where', values.where, places);
  const rounds = integers('rounds', values.rounds)[0] as number;
  const most = integers('steps', values.steps)[0] as number;
  const threads = integers('threads', values.threads)[0] as number;
  const turnsOf = ({ steps = most }: Case): Rounds => {
    const each = Math.min(steps, most);
    return { rounds, steps: each, warmUp: each };
  };
  const given = severalOf('cases', values.cases, names).map((name): NamedCase => {
    const isStream = name === 'stream-step';
    if (values.batch === undefined || isStream) return { name, given: cases[name], isStream };
    const batch = integers('batch', values.batch)[0] as number;
    return { name: name.replace(/\d+$/, String(batch)), given: { ...cases[name], batch }, isStream };
  });
  const found: Findings[] = [{ rows: [], notes: [await peakNote(), autoNote(given)] }];
  for (const each of where.includes('node') ? given : [])
    found.push(await inNode(each, chosen, turnsOf(each.given), threads));
  if (where.includes('chromium')) {
    const possible = given.filter(({ name }) => inPages.some((other) => other === name));
    found.push(...(await inChromium(possible, turnsOf)));
  }
  return {
    rows: found.flatMap(({ rows }) => rows),
    notes: [...new Set(found.flatMap(({ notes }) => notes))],
  };
}

async function inNode(
  { name, given, isStream }: NamedCase,
  chosen: readonly PeerName[],
  turns: Rounds,
  threads: number,
): Promise<Findings> {
  const isSpiking = isStream || name.startsWith('snn');
  const takesPart = (peer: PeerName): boolean =>
    peer === 'snntorch' ? isSpiking : !isBare(peer) || isStream;
  const sides = chosen.filter(takesPart);
  const others = await Promise.all(
    sides.map((peer): Promise<Contender | Absent> | Contender => {
      if (peer === 'snntorch') return snnTorchContender(given, isStream);
      return isBare(peer) ? bareContender(peer, given) : runtimeContender(peer, given, isStream, threads);
    }),
  );
  const { rows, notes } = await compareAll(
    name,
    sides,
    [bitsContender(given, isStream, threads), ...others],
    turns,
  );
  const ours = rows[0]?.ours;
  if (!name.startsWith('dense') || !ours) return { rows, notes };
  const inputs = inputsOf(given, 1).data.length;
  const rate = (2 * inputs * (given.model.input.shape[0] as number)) / (ours / 1000);
  return { rows, notes: [...notes, `${name}: ${giga(rate)} binary operations a second`] };
}

const isBare = (peer: PeerName): peer is BareName =>
  peer === 'ort-node-bare' || peer === 'ort-node-preallocated';

/** Nothing but a note where no Chromium starts. */
async function inChromium(
  given: readonly NamedCase[],
  turnsOf: (given: Case) => Rounds,
): Promise<Findings[]> {
  if (given.length === 0) return [];
  const started = await startChromium();
  if ('missing' in started)
    return [{ rows: [], notes: [`skipped the rows of Chromium: ${started.missing}`] }];
  try {
    const pages = await openPages(started.browser, given);
    const found: Findings[] = [];
    for (const each of given) {
      const [ours, ...others] = pages.sidesOf(each);
      const name = `${each.name} (Chromium)`;
      found.push(await compareAll(name, chromiumPeers, [ours, ...others], turnsOf(each.given)));
    }
    await pages.close();
    return found;
  } finally {
    await started.browser.close();
  }
}

async function peakNote(): Promise<string> {
  const peak = await peakRate();
  return `the popcount kernel alone, all in the first-level cache: ${giga(peak)} binary operations a second`;
}

/** What `auto` takes for each case, in Node and in browsers. */
function autoNote(given: readonly NamedCase[]): string {
  const choices = given.map(({ name, given: each, isStream }) => {
    const description = describe(readModel(bytesOf(each, isStream, 'any')), name);
    const [node, browser] = (['cpu', 'wasm'] as const).map(
      (other) => chooseDevice(description, other, each.batch).device,
    );
    return `${name} ${node === browser ? node : `${node}, in browsers ${browser}`}`;
  });
  return `auto takes: ${choices.join('; ')}`;
}

const giga = (rate: number): string => `${(rate / 1e9).toFixed(0)} × 10⁹`;
