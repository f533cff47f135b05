import { UserError } from '../errors.ts';
import type { Parameter, ParameterRole, Shape } from '../layer.ts';
import type { Ops } from '../ops.ts';
import { type Padding, type Pair, stopsOver, type Window } from '../window.ts';
import type { AnyLayer } from './registry.ts';

/** A layer where it is in a network. */
export interface Placed {
  /** Such as `2.trace`. */
  readonly name: string;
  readonly layer: AnyLayer;
  readonly spec: { readonly kind: string };
  readonly steps: number;
  readonly input: Shape;
  readonly output: Shape;
}

/** A value of which only the shape is known: [batch, …], or that of a parameter. */
interface Sized {
  readonly shape: Shape;
  readonly parameter?: true;
  /** Left over from a step or a spike: what came in at this step, and its noise, are not in it. */
  readonly past?: true;
}

const roles: Readonly<Record<ParameterRole, true>> = {
  weight: true,
  gain: true,
  bias: true,
  decay: true,
  threshold: true,
};

/** Any size that no feature is likely to have. */
const BATCH = 1009;

const text = (shape: Shape): string => `[${shape.join(', ')}]`;
const equal = (a: Shape, b: Shape): boolean => a.join() === b.join();

/**
 * Takes one step of a layer on shapes alone, and holds what it does against what it declares: what a mistake in a
 * layer of one's own would otherwise only show in the middle of a training.
 *
 * @throws UserError that names the layer, and the first thing that does not fit
 */
export function checkLayer({ name, layer, spec, steps, input, output }: Placed): void {
  const refuse = (what: string): never => {
    throw new UserError(`layer ${name}: ${what}`);
  };
  const parameters = layer.parameters(spec, input, steps);
  checkParameters(parameters, refuse);
  const state = layer.state(spec, input);
  // Layers that hold others only join what those give.
  if (layer.join) return;

  let spikes = 0;
  const ops = shapeOps(refuse, () => spikes++);
  const sized = Object.fromEntries(
    Object.entries(parameters).map(([key, { shape }]): [string, Sized] => [key, { shape, parameter: true }]),
  );
  const before = Object.fromEntries(
    Object.entries(state).map(([key, shape]): [string, Sized] => [
      key,
      { shape: [BATCH, ...shape], past: true },
    ]),
  );
  const fed: Sized = { shape: [BATCH, ...input] };
  const entered = layer.before?.(ops, spec, sized, fed) ?? fed;
  const [given, after] = layer.step(ops, spec, sized, before, entered);
  if (!equal(given.shape, [BATCH, ...output])) {
    refuse(`its step gives ${text(given.shape.slice(1))} per example, its outputShape says ${text(output)}`);
  }
  for (const [key, shape] of Object.entries(state)) {
    const left = after[key];
    if (!left) refuse(`its step returns no state '${key}'`);
    else if (!equal(left.shape, [BATCH, ...shape]))
      refuse(`its step leaves ${text(left.shape.slice(1))} in the state '${key}', which is ${text(shape)}`);
  }
  const extra = Object.keys(after).find((key) => !Object.hasOwn(state, key));
  if (extra !== undefined) refuse(`its step returns a state '${extra}', which state() does not declare`);
  const neurons = layer.gives === 'signal' && !layer.rearranges;
  if (neurons && spikes !== 1) {
    refuse(
      `its step calls spike() ${spikes} times; neurons fire once a step, and a layer that only changes signals has rearranges: true`,
    );
  }
  if (!neurons && spikes > 0) {
    refuse('its step calls spike(); a layer of neurons gives a signal and has no rearranges');
  }
}

function checkParameters(
  parameters: Readonly<Record<string, Parameter>>,
  refuse: (what: string) => never,
): void {
  for (const [key, { shape, role, fanIn }] of Object.entries(parameters)) {
    if (/[^A-Za-z0-9.]/.test(key))
      refuse(`the parameter '${key}' has a name of other than letters and digits`);
    if (!Object.hasOwn(roles, role)) {
      refuse(
        `the parameter '${key}' has the role '${String(role)}'; expected ${Object.keys(roles).join(', ')}`,
      );
    }
    if (shape.length === 0 || !shape.every((size) => Number.isInteger(size) && size > 0))
      refuse(`the parameter '${key}' has the shape ${text(shape)}; expected whole numbers above 0`);
    if (!(fanIn > 0)) refuse(`the parameter '${key}' has fanIn ${fanIn}; expected a number above 0`);
  }
  const all = Object.values(parameters);
  const weight = all.find(({ role }) => role === 'weight');
  const gains = all.filter(({ role }) => role === 'gain');
  if (!weight) return;
  if (gains.length !== 1 || !equal(gains[0]!.shape, weight.shape.slice(-1))) {
    refuse(
      `has weights ${text(weight.shape)} and so needs one parameter of the role gain and the shape ${text(weight.shape.slice(-1))}`,
    );
  }
}

/** Ops on shapes alone; each refuses what its definition does not allow. */
function shapeOps(refuse: (what: string) => never, onSpike: () => void): Ops<Sized> {
  /** Of the same shape as x, or one number per channel. */
  const fits = (op: string, x: Sized, by: Sized | number, activations: boolean): Sized => {
    if (typeof by === 'number') return x;
    const channels = by.parameter && equal(by.shape, x.shape.slice(-1));
    if (!channels && !(activations && equal(by.shape, x.shape))) {
      refuse(
        `${op}() of ${shownOf(x)} by ${shownOf(by)}; expected ${activations ? 'the same shape, or ' : ''}a parameter per channel`,
      );
    }
    return x;
  };
  const shownOf = ({ shape, parameter }: Sized): string =>
    parameter ? `a parameter ${text(shape)}` : text(shape.slice(1));
  const weighted = (op: string, { parameter }: Sized): void => {
    if (!parameter) refuse(`${op}() by an activation; expected a parameter`);
  };
  const windowed = ({ shape }: Sized, window: Window, padding: Padding): Shape => {
    const [rows = 0, height = 0, width = 0] = shape;
    const plane: Pair = [height, width];
    return [rows, ...stopsOver(plane, window, padding).map(({ stops }) => stops)];
  };
  const onPlane = (op: string, x: Sized): void => {
    if (x.shape.length !== 4) refuse(`${op}() of ${shownOf(x)}; expected [height, width, channels]`);
  };

  return {
    linear(x, weight) {
      weighted('linear', weight);
      if (weight.shape.length !== 2 || x.shape.length !== 2 || x.shape[1] !== weight.shape[0])
        refuse(`linear() of ${shownOf(x)} by ${shownOf(weight)}; expected [in] by [in, out]`);
      return { shape: [x.shape[0] as number, weight.shape[1] as number] };
    },
    conv2d(x, weight, { stride, padding, groups }) {
      weighted('conv2d', weight);
      onPlane('conv2d', x);
      const [height = 0, width = 0, channels = 0, filters = 0] = weight.shape;
      if (weight.shape.length !== 4 || channels * groups !== x.shape[3])
        refuse(
          `conv2d() of ${shownOf(x)} by ${shownOf(weight)}; expected [height, width, channels / groups, filters]`,
        );
      return { shape: [...windowed(x, { size: [height, width], stride }, padding), filters] };
    },
    pool(x, _kind, window) {
      onPlane('pool', x);
      const plane = window ? windowed(x, window, 'valid') : [x.shape[0] as number, 1, 1];
      return { shape: [...plane, x.shape.at(-1) as number] };
    },
    flatten: ({ shape: [rows = 0, ...features] }) => ({
      shape: [rows, features.reduce((product, size) => product * size, 1)],
    }),
    padChannels: ({ shape }, count) => ({
      shape: [...shape.slice(0, -1), (shape.at(-1) as number) + count],
    }),
    normalise(x, mean, deviation) {
      if (mean.length !== x.shape.at(-1) || deviation.length !== mean.length)
        refuse(`normalise() of ${shownOf(x)} by ${mean.length} means and ${deviation.length} deviations`);
      return x;
    },
    multiply: (x, factor) => fits('multiply', x, factor, false),
    add(x, term) {
      const { shape } = fits('add', x, term, true);
      return { shape, ...(x.past && term.past && { past: true }) };
    },
    spike(membrane, threshold) {
      onSpike();
      if (membrane.past)
        refuse(
          'spike() of what leak() or reset() left; the current of this step and its noise are to be added before',
        );
      return { shape: fits('spike', membrane, threshold, false).shape };
    },
    leak: (membrane, decay) => ({ ...fits('leak', membrane, decay, false), past: true }),
    reset(membrane, spikes, threshold) {
      if (!equal(membrane.shape, spikes.shape))
        refuse(`reset() of ${shownOf(membrane)} by spikes ${shownOf(spikes)}; expected the same shape`);
      return { ...fits('reset', membrane, threshold, false), past: true };
    },
    detach: (x) => x,
    read: (current) => current,
    overTime: (x) => x,
    scan: () => refuse('its step calls scan(); what it carries through time is its state()'),
  };
}
