import type { GaussianLikelihood } from '../schemas/likelihood.ts';
import { classesOf, type Model } from '../schemas/model.ts';
import type { Graph, Value } from '../schemas/onnx/index.ts';
import type { Sections } from './graph-sections.ts';
import { integers, scalar } from './graph-values.ts';

/** Names of a graph's inputs and outputs: what a script with plain onnxruntime needs to know. */
export const graphNames = {
  /** uint8 or float32 [batch, …]; [time, batch, …] of any number of steps where the network has time */
  input: 'input',
  /** float32 [batch, classes]; a single network has it */
  logits: 'logits',
  /** float32 [batch, classes]; of an ensemble the mean over its members */
  probabilities: 'probabilities',
  /** float32 [members, batch, classes]; an ensemble has it */
  memberProbabilities: 'member_probabilities',
  /** float32 [batch]; of the mean over the members of an ensemble, in nats: all its uncertainty */
  predictiveEntropy: 'predictive_entropy',
  /** float32 [batch]; what the members of an ensemble disagree about, in nats: 0 … predictive_entropy */
  mutualInformation: 'mutual_information',
  /** float32 [batch, outputs]; a regression has it in place of the above, of an ensemble the mean over its members */
  means: 'means',
  /** float32 [members, batch, outputs]; an ensemble of a regression has it */
  memberMeans: 'member_means',
} as const;

/** Where outputs are written. */
interface Outputs {
  readonly graph: Graph;
  readonly sections: Sections;
}

/** What decides which outputs there are. */
interface Answering {
  readonly model: Model;
  readonly likelihood?: GaussianLikelihood | undefined;
}

/** The outputs of a graph, from what each member of its network says, [batch, classes]. */
export function addOutputs(
  { graph, sections }: Outputs,
  network: Answering,
  members: readonly Value[],
): void {
  if (members.length > 1) ensembleOutputs({ graph, sections }, network, members);
  else singleOutputs(graph, network, members[0] as Value);
}

function singleOutputs(graph: Graph, { model, likelihood }: Answering, value: Value): void {
  const dims = ['batch', classesOf(model)];
  const name = likelihood ? graphNames.means : graphNames.logits;
  const logits = graph.node('Identity', [value], {}, { output: name });
  graph.output(logits, 'float32', dims);
  if (likelihood) return;
  const probabilities = { output: graphNames.probabilities };
  graph.output(graph.node('Softmax', [logits], { axis: -1 }, probabilities), 'float32', dims);
}

function ensembleOutputs(
  { graph, sections }: Outputs,
  { model, likelihood }: Answering,
  answers: readonly Value[],
): void {
  const classes = classesOf(model);
  const first = integers(graph, [0]);
  const stacked = graph.node(
    'Concat',
    answers.map((value) => graph.node('Unsqueeze', [value, first])),
    { axis: 0 },
  );
  const members = likelihood
    ? graph.node('Identity', [stacked], {}, { output: graphNames.memberMeans })
    : graph.node('Softmax', [stacked], { axis: -1 }, { output: graphNames.memberProbabilities });
  const output = likelihood ? graphNames.means : graphNames.probabilities;
  const mean = graph.node('ReduceMean', [members, first], { keepdims: 0 }, { output });
  graph.output(mean, 'float32', ['batch', classes]);
  graph.output(members, 'float32', [answers.length, 'batch', classes]);
  const section = { name: 'Uncertainty', label: 'uncertainty' };
  if (!likelihood) sections.within(section, () => uncertaintyOutputs(graph, mean, members));
}

/**
 * The uncertainty of an ensemble, split: H(E[p]) is all of it, H(E[p]) − E[H(p)] what the members disagree about
 * (Houlsby et al. 2011, arXiv 1112.5745).
 */
function uncertaintyOutputs(graph: Graph, mean: Value, members: Value): void {
  const entropy = entropyOf(graph, mean, { output: graphNames.predictiveEntropy });
  const own = graph.node('ReduceMean', [entropyOf(graph, members), integers(graph, [0])], { keepdims: 0 });
  // Entropy is concave, so the difference is never negative; where members agree, rounding may make it so.
  const apart = graph.node(
    'Relu',
    [graph.node('Sub', [entropy, own])],
    {},
    {
      output: graphNames.mutualInformation,
    },
  );
  graph.output(entropy, 'float32', ['batch']);
  graph.output(apart, 'float32', ['batch']);
}

/** The smallest normal float32: its logarithm is finite. */
const SMALLEST = 2 ** -126;

/** −Σ p log p over the last axis. Of a probability of 0 the logarithm is finite, and the product 0, as its limit is. */
function entropyOf(graph: Graph, probabilities: Value, output: { readonly output?: string } = {}): Value {
  const logarithms = graph.node('Log', [graph.node('Max', [probabilities, scalar(graph, SMALLEST)])]);
  const terms = graph.node('Mul', [probabilities, logarithms]);
  const sum = graph.node('ReduceSum', [terms, integers(graph, [-1])], { keepdims: 0 });
  // A softmax may give a little more than 1, whose logarithm is positive.
  return graph.node('Relu', [graph.node('Neg', [sum])], {}, output);
}
