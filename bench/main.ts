import { UserError } from '../schemas/errors.ts';
import type { Findings } from './harness.ts';
import { report } from './report.ts';

interface Bench {
  readonly summary: string;
  /** Benches load when they run: one that lacks a dependency leaves the others alone. */
  readonly load: () => Promise<{ run(options: string[]): Promise<Findings> }>;
}

const BENCHES: Record<string, Bench> = {
  'train-step': {
    summary:
      'one training step against PyTorch and snnTorch (--nets A,B,C --threads 1,2 --peers pytorch,pytorch-stepwise,snntorch --time 1000 --batch 32 --hidden 256,256 --posterior bernoulli --penalty none --kl --rounds 7 --steps 20 --clock processor --profile --sweep time,width,batch --svg FILE)',
    load: () => import('./train-step.ts'),
  },
  'recipe-step': {
    summary:
      'one training step of recipes (--recipes cifar10-small,dvs-gesture-small --threads 1 --rounds 3 --steps 5 --clock processor --profile)',
    load: () => import('./recipe-step.ts'),
  },
  engines: {
    summary:
      'one training step on every engine: traced, and eagerly on tfjs (--threads 1 --rounds 7 --steps 5)',
    load: () => import('./engines.ts'),
  },
  parity: {
    summary: 'the same bits of every layer on every device, in Node and in Chromium (--inputs 1000 --seed 1)',
    load: () => import('./parity.ts'),
  },
  memory: {
    summary:
      'resident memory over many runs and over loading and releasing, in Node and in Chromium (--runs 10000 --cycles 100)',
    load: () => import('./memory.ts'),
  },
  bits: {
    summary:
      'the 1-bit engine against onnxruntime-web, onnxruntime-node and snnTorch, in Node and in Chromium (--cases dense-1024/1,dense-4096/1,dense-4096-5%/1,snn/1,stream-step,conv/1 --where node,chromium --peers ort-web-float32,ort-web,ort-node,ort-node-bare,ort-node-preallocated,snntorch --rounds 5 --steps 20)',
    load: () => import('./bits.ts'),
  },
  infer: {
    summary:
      'one call of an exported network in onnxruntime-node against float32, PyTorch and snnTorch (--cases dense-4096/1,conv/16,snn/1 --peers float32,pytorch,snntorch --rounds 5 --steps 40), or against float32 in Chromium (--chromium)',
    load: () => import('./infer.ts'),
  },
  ablation: {
    summary:
      'estimators × penalty × posterior on MNIST (--seeds 1,2,3 --hidden 128,128 --epochs 4 --penalty-weight 1e-5 --members 8 --threads 1 --cells FILE)',
    load: () => import('./ablation.ts'),
  },
  'train-thread': {
    summary:
      'a training in a thread of its own against the same in the thread that calls (--nets A,B --threads 1 --rounds 5 --epochs 6)',
    load: () => import('./train-thread.ts'),
  },
  hostile: {
    summary:
      'spoilt files of every format for every command: no crash, no hang, one line (--runs 20000 --seed 1 --from 0 --processes 200 --seconds 60 --megabytes 1500)',
    load: () => import('./hostile.ts'),
  },
  serve: {
    summary:
      'bitspike serve against node:http with onnxruntime-node, and under abuse (--connections 1,8,64 --seconds 3 --rounds 3), or its memory under load (--soak MINUTES)',
    load: () => import('./serve.ts'),
  },
  page: {
    summary: 'the page of examples/web from its address to its first answer, and its download (--loads 9)',
    load: () => import('./page.ts'),
  },
};

/** A mistake in the options, as `parseArgs` of Node reports it. */
const isUsageError = (thrown: unknown): thrown is Error =>
  thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('ERR_PARSE_ARGS');

const [name = '', ...options] = process.argv.slice(2);
const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
if (bench === undefined) {
  const names = Object.entries(BENCHES).map(([known, { summary }]) => `  ${known}  ${summary}`);
  console.error(['Give the name of a bench: npm run -s bench -- NAME [options]', ...names].join('\n'));
  process.exitCode = 2;
} else {
  try {
    const { run } = await bench.load();
    console.log(report(name, await run(options)));
  } catch (error) {
    if (!(error instanceof UserError) && !isUsageError(error)) throw error;
    console.error(error.message);
    process.exitCode = isUsageError(error) ? 2 : 1;
  }
}
