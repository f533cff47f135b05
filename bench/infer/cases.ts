import { type Case, planes, spiking, wide } from '../bits/cases.ts';

/** A network as PyTorch has it: its name in the peer, and what it is made with. */
interface PytorchCase {
  readonly network: 'dense' | 'convolutions' | 'spiking';
  readonly units?: number;
  readonly time?: number;
}

export interface InferCase extends Case {
  readonly isStream: boolean;
  readonly pytorch: PytorchCase;
}

const dense = (units: number, batch: number): InferCase => ({
  model: wide(units),
  batch,
  activity: 0.3,
  isStream: false,
  pytorch: { network: 'dense', units },
});

const convolutions = (batch: number): InferCase => ({
  model: planes,
  batch,
  activity: 0.3,
  isStream: false,
  pytorch: { network: 'convolutions' },
});

const sequence = (batch: number): InferCase => ({
  model: spiking,
  batch,
  activity: 0.02,
  isStream: false,
  pytorch: { network: 'spiking', time: 100 },
});

/** Dense layers of one width, four convolutions 64 → 64 on 32 × 32, the spiking network of 100 steps, and one step of it. */
export const inferCases = {
  'dense-1024/1': dense(1024, 1),
  'dense-1024/32': dense(1024, 32),
  'dense-1024/256': dense(1024, 256),
  'dense-4096/1': dense(4096, 1),
  'dense-4096/32': dense(4096, 32),
  'dense-4096/256': dense(4096, 256),
  'conv/1': convolutions(1),
  'conv/16': convolutions(16),
  'snn/1': sequence(1),
  'snn/32': sequence(32),
  'stream-step': { ...sequence(1), isStream: true, pytorch: { network: 'spiking', time: 1 } },
} as const satisfies Record<string, InferCase>;

export type InferCaseName = keyof typeof inferCases;
