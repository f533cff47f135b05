/** Which device `auto` takes: what the network is, how many examples at once, and a small table of measurements. */
import type { Description } from '../schemas/description.ts';
import { stepsOf } from '../schemas/model.ts';
import { type AutoPlace, type Measured, measurements, type NetworkKind } from './auto-table.ts';
import type { Device } from './open.ts';

export interface Choice {
  readonly device: Device;
  /** A sentence for whoever asks why. */
  readonly reason: string;
}

/** Examples of the table's two columns. */
const [FEW, MANY] = [1, 32];

/** Milliseconds of a call with so many examples: on the line through both measurements. */
const expected = ([few, many]: Measured, batch: number): number =>
  few + ((many - few) * (batch - FEW)) / (MANY - FEW);

function kindOf({ model }: Description): NetworkKind {
  if (JSON.stringify(model.layers).includes('"kind":"conv2d"')) return 'planes';
  return stepsOf(model) > 1 ? 'spiking' : 'dense';
}

/**
 * The device for a network: `bits`, or what its place takes unless told otherwise.
 *
 * @param batch examples that will be run at once
 */
export function chooseDevice(description: Description, other: AutoPlace, batch: number): Choice {
  const { weights, states = [], noise = [] } = description;
  if (weights.weights === 'real')
    return { device: other, reason: `auto chose ${other}: the weights are real numbers` };
  if (noise.length > 0)
    return {
      device: other,
      reason: `auto chose ${other}: the weights of a network that takes noise are real numbers`,
    };
  if (states.length > 0)
    return { device: 'bits', reason: 'auto chose bits: it takes the least time for a step of a stream' };
  const kind = kindOf(description);
  const { bits, others } = measurements[kind];
  const [own, theirs] = [expected(bits, batch), expected(others[other], batch)];
  const device = own < theirs ? 'bits' : other;
  const size = `${batch} ${batch === 1 ? 'example' : 'examples'} at once`;
  const ratio = (Math.max(own, theirs) / Math.min(own, theirs)).toFixed(1);
  const loser = device === 'bits' ? other : 'bits';
  return {
    device,
    reason: `auto chose ${device}: with ${size}, a ${kind} network was ${ratio} × as fast on it as on ${loser}`,
  };
}
