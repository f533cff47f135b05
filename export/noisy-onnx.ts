import { z } from 'zod';
import { toMetadata } from '../schemas/description.ts';
import { UserError } from '../schemas/errors.ts';
import { checkOptions } from '../schemas/layer.ts';
import { kept } from '../schemas/likelihood.ts';
import { fires, forward, type Model, parametersOf, type Place, stepsOf } from '../schemas/model.ts';
import { defineOnnxModel, Graph, type Model as OnnxModel, type Value } from '../schemas/onnx/index.ts';
import { checkPosterior, type Posterior } from '../schemas/posterior.ts';
import { version } from '../schemas/version.ts';
import { equationsOf } from './equations.ts';
import { addOutputs, graphNames } from './graph-outputs.ts';
import { functionDomain, functionName, outlined } from './graph-sections.ts';
import { Shared, TimeAxis } from './graph-shared.ts';
import { FLOAT32, scalar, UINT8 } from './graph-values.ts';
import { hashOfLearned, inputOf } from './metadata.ts';
import { NoiseInputs } from './noisy-noise.ts';
import { NoisyOps } from './noisy-ops.ts';
import { NoisyParameters } from './noisy-parameters.ts';
import { noisy, type NoisySignal, type NoisyValue, valueOf } from './noisy-signal.ts';
import { type ExternalOptions, filesOf, oneFileOf, type OnnxFiles } from './onnx-files.ts';
import { irVersionOf, onnxOptionsSchema } from './onnx-options.ts';
import { inputSignal } from './signal.ts';

const noisyOptionsSchema = z.strictObject({
  noise: z
    .enum(['gaussian', 'logistic', 'none'])
    .default('gaussian')
    .meta({ description: 'Distribution of the noise of the neurons: that of the estimator in training.' }),
  noiseScale: z
    .number()
    .positive()
    .default(1)
    .meta({ description: 'Multiplies the noise σ of every neuron.' }),
  opset: onnxOptionsSchema.shape.opset,
  functions: onnxOptionsSchema.shape.functions,
});

/** How the noisy network is written: options of `toNoisyOnnx`. */
export type NoisyOnnxOptions = z.input<typeof noisyOptionsSchema>;

/**
 * Writes the network as training runs it, its weights uncertain: means and variances of currents by local
 * reparameterisation (docs/method.md), which neurons and the readout sample with noise that comes in by inputs
 * `noise.<layer>`, standard noise in the order of the model's units. The mean of `probabilities` over many calls is the
 * prediction of the posterior.
 *
 * Means of weights are real, so the file takes four bytes per weight, of Gaussian ones with a deviation each eight.
 *
 * @param posterior Bernoulli weights count at its temperature
 * @returns the bytes of the .onnx file
 * @throws UserError for options that do not fit, or a posterior that does not fit its model
 */
export const toNoisyOnnx = (posterior: Posterior, options: NoisyOnnxOptions = {}): Uint8Array =>
  oneFileOf(noisyModelOf(posterior, options));

/** The same as two files, the larger tensors beside the .onnx, where that is asked for or one would not hold them. */
export const toNoisyOnnxFiles = (
  posterior: Posterior,
  options: NoisyOnnxOptions,
  external: ExternalOptions,
): OnnxFiles => filesOf(noisyModelOf(posterior, options), external);

function noisyModelOf(posterior: Posterior, options: NoisyOnnxOptions): OnnxModel {
  const { noise, noiseScale, opset, functions } = checkOptions(noisyOptionsSchema, options, 'export');
  checkPosterior(posterior, 'export');
  const { model, classNames, likelihood } = posterior;
  const perStep = Object.entries(parametersOf(model)).find(([, parameter]) => parameter.perStep);
  if (perStep) {
    throw new UserError(
      `export: ${perStep[0]} has numbers of every step, which a network with noise inputs cannot have yet; freeze it`,
    );
  }
  const graph = new Graph('bitspike');
  const { input, time } = noisyInput(graph, model);
  const shared = new Shared(graph, { round: Math.fround, time });
  const noises = new NoiseInputs(graph, time, noise);
  const parameters = new NoisyParameters(graph, posterior);
  const ops = new NoisyOps(graph, { shared, parameters, noise: noises, noiseScale });
  const { answer, layers } = writeNoisy(ops, model, input);
  const weights = { weights: 'noise', noise, ...(noiseScale !== 1 && { noiseScale }) };
  const { sections } = shared;
  addOutputs({ graph, sections }, { model, likelihood }, [answer.mean]);
  const definitions = functions ? outlined(graph, sections, layers, opset) : [];
  const description = {
    model,
    weights,
    classes: classNames,
    ...kept(likelihood),
    layers: [layers],
    input: inputOf(model),
    equations: equationsOf(model),
    network: hashOfLearned(model, posterior.learned),
  };
  return defineOnnxModel(graph, {
    producerName: 'bitspike',
    producerVersion: version,
    metadata: toMetadata({ ...description, noise: noises.inputs }),
    opset,
    irVersion: irVersionOf[opset],
    functions: definitions,
    ...(definitions.length > 0 && { domains: { [functionDomain]: 1 } }),
  });
}

/** What a network is fed, as real numbers. */
function noisyInput(graph: Graph, model: Model): { readonly input: NoisyValue; readonly time?: TimeAxis } {
  const { input } = model;
  const valuesOf = (rows: Value): NoisyValue => {
    const { plane } = inputSignal(input, rows);
    const numbers = input.type === 'uint8' ? graph.node('Cast', [rows], { to: FLOAT32 }) : rows;
    const scale = input.type === 'uint8' ? input.scale : 1;
    const mean = scale === 1 ? numbers : graph.node('Mul', [numbers, scalar(graph, scale)]);
    return noisy({ mean }, { plane });
  };
  if (stepsOf(model) === 1) {
    return { input: valuesOf(graph.input(graphNames.input, input.type, ['batch', ...input.shape])) };
  }
  const sequence = graph.input(graphNames.input, input.type, ['time', 'batch', ...input.shape]);
  const time = new TimeAxis(graph, sequence);
  return { input: valuesOf(time.folded(graph, sequence)), time };
}

function writeNoisy(ops: NoisyOps, model: Model, input: NoisyValue) {
  const parameters = Object.fromEntries(
    Object.keys(parametersOf(model)).map((name): [string, NoisySignal] => [
      name,
      { kind: 'parameter', name },
    ]),
  );
  const { graph } = ops;
  const { sections } = ops.shared;
  const layers: string[] = [];
  const answer = forward<NoisySignal>(ops, model, parameters, input, {
    before: ({ name, output }: Place) => {
      ops.scope = name;
      ops.output = output;
      sections.enter(sections.named(name, `Noisy${functionName(name)}`));
    },
    after: (place, written) => {
      if (fires(place)) {
        const { mean, plane } = valueOf(written);
        const turned = plane ? graph.node('Transpose', [mean], { perm: [0, 2, 3, 1] }) : mean;
        layers.push(graph.node('Cast', [turned], { to: UINT8 }, { output: place.name }));
      }
      sections.enter(undefined);
    },
  });
  return { answer: valueOf(answer), layers };
}
