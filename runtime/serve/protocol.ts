/** Requests and answers of the Open Inference Protocol, version 2, and of its binary tensor extension. */
import { z } from 'zod';
import type { Outputs } from './network.ts';
import { Refusal } from './refusal.ts';
import { bytesOf, datatypeOf, type Numbers, type Port, type Signature } from './signature.ts';
import { bytesFrom, numbersFromBytes, numbersFromJson } from './tensors.ts';

/** The header that tells how many bytes of a body are JSON; what follows them are tensors. */
export const lengthHeader = 'Inference-Header-Content-Length';

const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

const requestSchema = z.object({
  id: z.string().max(1024).exactOptional(),
  parameters: parameters.exactOptional(),
  inputs: z
    .array(
      z.object({
        name: z.string(),
        shape: z.array(z.int().min(0)).max(16),
        datatype: z.string(),
        parameters: parameters.exactOptional(),
        data: z.unknown().optional(),
      }),
    )
    .min(1),
  outputs: z.array(z.object({ name: z.string(), parameters: parameters.exactOptional() })).exactOptional(),
});

const utf8 = new TextDecoder('utf-8', { fatal: true });

type Request = z.output<typeof requestSchema>;
type Parameters = z.output<typeof parameters>;

/** An output that was asked for. */
interface Wanted {
  readonly port: Port;
  readonly isBinary: boolean;
}

/** What a request asks of a network. */
export interface Inference {
  readonly id?: string;
  readonly examples: Numbers;
  readonly count: number;
  readonly wanted: readonly Wanted[];
}

/**
 * Parameters of other extensions, which would change the answer.
 *
 * A parameter that is not known at all is for someone on the way, and left alone.
 */
const unsupported = /^(classification|shared_memory_.*|sequence_(id|start|end))$/;

/**
 * Reads the body of a request.
 *
 * @param headerLength value of `Inference-Header-Content-Length`; undefined where all of the body is JSON
 * @param maxBatch most examples
 * @throws Refusal where it is not what the protocol or the network asks for
 */
export function readInference(
  body: Uint8Array,
  headerLength: string | undefined,
  signature: Signature,
  maxBatch: number,
): Inference {
  const split = headerLength === undefined ? body.length : lengthOf(headerLength, body.length);
  const request = readRequest(body.subarray(0, split));
  const bytes = body.subarray(split);
  refuseUnsupported(request.parameters);

  const { name, datatype, shape } = signature.input;
  const [given, ...others] = request.inputs;
  const odd = [given!, ...others].find((input) => input.name !== name);
  if (odd || others.length > 0) {
    const names = request.inputs.map((input) => JSON.stringify(input.name)).join(', ');
    throw new Refusal(400, `inputs: expected one, '${name}'; got ${names.slice(0, 200)}`);
  }
  const what = `input '${name}'`;
  if (given!.datatype !== datatype) {
    throw new Refusal(
      400,
      `${what}: expected datatype ${datatype}, got ${JSON.stringify(given!.datatype.slice(0, 40))}`,
    );
  }
  const [count = 0, ...example] = given!.shape;
  if (given!.shape.length !== shape.length || example.some((size, axis) => size !== shape[axis + 1])) {
    throw new Refusal(
      400,
      `${what}: expected the shape [examples, ${shape.slice(1).join(', ')}], got [${given!.shape.join(', ')}]`,
    );
  }
  if (count < 1 || count > maxBatch) {
    throw new Refusal(400, `${what}: expected 1 to ${maxBatch} examples in a request, got ${count}`);
  }
  const examples = numbersOf(given!, bytes, { name, datatype, shape: given!.shape }, what);
  return {
    ...(request.id !== undefined && { id: request.id }),
    examples,
    count,
    wanted: wantedOf(request, signature),
  };
}

function lengthOf(text: string, most: number): number {
  const length = /^\d{1,10}$/.test(text) ? Number(text) : -1;
  if (length < 0 || length > most) {
    throw new Refusal(400, `${lengthHeader}: expected a number of bytes, at most the ${most} of the body`);
  }
  return length;
}

function readRequest(json: Uint8Array): Request {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(json));
  } catch {
    throw new Refusal(400, 'the body is not JSON in UTF-8');
  }
  const result = requestSchema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'request'}: ${message}`,
  );
  throw new Refusal(400, problems.slice(0, 3).join('; '));
}

function refuseUnsupported(given: Parameters = {}): void {
  const name = Object.keys(given).find((key) => unsupported.test(key));
  if (name !== undefined)
    throw new Refusal(400, `parameter '${name}' belongs to an extension that is not supported`);
}

function numbersOf(
  { parameters: given = {}, data }: Request['inputs'][number],
  bytes: Uint8Array,
  { datatype, shape }: Port,
  what: string,
): Numbers {
  refuseUnsupported(given);
  const size = given['binary_data_size'];
  if (size === undefined) {
    if (bytes.length > 0)
      throw new Refusal(400, `${bytes.length} bytes follow the JSON, and no input says 'binary_data_size'`);
    return numbersFromJson(data, datatype, shape, what);
  }
  if (data !== undefined)
    throw new Refusal(400, `${what}: has both 'data' and 'binary_data_size'; give one of them`);
  if (size !== bytes.length) {
    throw new Refusal(
      400,
      `${what}: 'binary_data_size' is ${String(size)}, and ${bytes.length} bytes follow the JSON`,
    );
  }
  return numbersFromBytes(bytes, datatype, shape, what);
}

/** The outputs that a request asks for: all of them unless it names some. */
function wantedOf({ outputs, parameters: given = {} }: Request, signature: Signature): Wanted[] {
  const isBinary = flagOf(given, 'binary_data_output') ?? false;
  if (!outputs || outputs.length === 0) return signature.outputs.map((port) => ({ port, isBinary }));
  const names = new Set<string>();
  return outputs.map(({ name, parameters: own = {} }) => {
    refuseUnsupported(own);
    const port = signature.outputs.find((known) => known.name === name);
    if (!port || names.has(name)) {
      const known = signature.outputs.map((output) => `'${output.name}'`).join(', ');
      const problem = port ? 'is asked for twice' : 'is none of the outputs';
      throw new Refusal(400, `outputs: ${JSON.stringify(name.slice(0, 40))} ${problem} (${known})`);
    }
    names.add(name);
    return { port, isBinary: flagOf(own, 'binary_data') ?? isBinary };
  });
}

function flagOf(given: Parameters, name: string): boolean | undefined {
  const value = given[name];
  if (value !== undefined && typeof value !== 'boolean')
    throw new Refusal(400, `parameter '${name}': expected true or false`);
  return value;
}

/** An answer, ready to be sent. */
export interface Answer {
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | string;
}

/** Much quicker than by their iterator. */
function listOf(numbers: Numbers): number[] {
  const list: number[] = [];
  for (let index = 0; index < numbers.length; index++) list.push(numbers[index]!);
  return list;
}

/** @param model name of the network */
export function writeAnswer(model: string, { id, wanted }: Inference, outputs: Outputs): Answer {
  const parts: Uint8Array[] = [];
  const described = wanted.map(({ port: { name }, isBinary }) => {
    const { dims, data } = outputs[name]!;
    const datatype = datatypeOf(data);
    const port = { name, datatype, shape: dims };
    if (!isBinary) return { ...port, data: listOf(data) };
    parts.push(bytesFrom(data));
    return { ...port, parameters: { binary_data_size: data.length * bytesOf[datatype] } };
  });
  const json = JSON.stringify({
    model_name: model,
    model_version: '1',
    ...(id !== undefined && { id }),
    outputs: described,
  });
  if (parts.length === 0) return { headers: { 'Content-Type': 'application/json' }, body: json };
  const head = Buffer.from(json);
  return {
    headers: { 'Content-Type': 'application/octet-stream', [lengthHeader]: String(head.length) },
    body: Buffer.concat([head, ...parts]),
  };
}
