// Reads an .onnx as Netron does, by Netron's own reader, and prints what a user of it would see, as JSON:
//   node netron.mjs FOLDER FILE.onnx
// FOLDER holds Netron's sources: pip install --no-deps --target FOLDER netron
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder, file] = process.argv.slice(2);
const source = (name) => import(pathToFileURL(resolve(join(folder, 'netron', name))).href);
const [{ ModelFactory }, { BinaryReader }, base] = await Promise.all([
  source('onnx.js'),
  source('protobuf.js'),
  source('base.js'),
]);

const stream = new base.BinaryStream(new Uint8Array(await readFile(file)));
const context = {
  identifier: basename(file),
  stream,
  tags: async () => BinaryReader.open(stream).signature(),
  // It is no FlatBuffers file, as those of ORT are, nor JSON.
  peek: async () => undefined,
  read: async () => BinaryReader.open(stream),
  require: (name) => source(`${name}.js`),
  asset: (name) => readFile(join(folder, 'netron', name), 'utf8'),
  set(_, value) {
    this.value = value;
    return value;
  },
};
const factory = new ModelFactory();
await factory.match(context);
const model = await factory.open(context);
const nodesOf = (graph) =>
  graph.nodes.map(({ name, type }) => ({
    name,
    type: type.name,
    ...(type.nodes && { nodes: type.nodes.map((node) => node.type.name) }),
  }));
console.log(
  JSON.stringify({
    format: model.format,
    producer: model.producer,
    metadata: model.metadata.map(({ name }) => name),
    nodes: nodesOf(model.modules[0]),
    functions: (model.functions ?? []).map(({ name, nodes }) => ({ name, nodes: nodes?.length })),
  }),
);
