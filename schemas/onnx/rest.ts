/**
 * What a file said about an object beyond the fields that the object names: documentation, metadata, parts
 * of newer versions of ONNX. Only the serialiser looks inside; everyone else passes it on unchanged, so
 * that a model which was read is written back without loss.
 */
export type Rest = Readonly<Record<string, unknown>>;
