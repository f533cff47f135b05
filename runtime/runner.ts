/** Numbers with a shape, in the memory of this program. */
export interface HostTensor {
  readonly type: 'uint8' | 'int8' | 'int32' | 'int64' | 'float32' | 'bool';
  readonly dims: readonly number[];
  readonly data: Uint8Array | Int8Array | Int32Array | BigInt64Array | Float32Array;
}

/** By the names of a graph's inputs or outputs. */
export type HostTensors = Readonly<Record<string, HostTensor>>;

/** What a step gives becomes what the next one takes. */
export interface Carried {
  readonly input: string;
  readonly output: string;
}

/** One call after another on arrays that stay: nothing is allocated between steps. */
export interface Stepper {
  /** Written by the caller before a step; what is carried is there too, and may be changed between steps. */
  readonly inputs: HostTensors;
  /** Of the last step; overwritten by the next. */
  readonly outputs: HostTensors;
  /** @throws UserError where an input cannot be what it is; nothing is carried on then */
  step(): void;
  /** Ends it, which is not needed: its arrays are all that it has of its own. */
  release(): void;
}

/** A model, opened on one device: what everything above it needs of onnxruntime, and of any other engine. */
export interface Runner {
  /** Names of the graph's outputs. */
  readonly outputs: readonly string[];

  /** What its user should know of how it runs here: a sentence each. */
  readonly notes?: readonly string[];

  /** How many times as many examples as other devices get a call may have; 1 unless given. */
  readonly batchFactor?: number;

  /**
   * The outputs that were asked for. The caller may keep them, change them in place, and feed them again; a feed may
   * be changed in place between runs.
   */
  run(feeds: HostTensors, outputs: readonly string[]): Promise<HostTensors>;

  /** The same without waiting, where the device computes in this very thread. */
  runNow?(feeds: HostTensors, outputs: readonly string[]): HostTensors;

  /**
   * Calls on arrays that stay, for feeds of these dims, where the device computes in this very thread. Any number of
   * steppers can be there at once, and need no release.
   *
   * @param feeds what it begins with; they are copied
   * @param carried outputs that become inputs of the next step
   * @throws UserError where feeds, outputs or what is carried are not the graph's
   */
  stepper?(feeds: HostTensors, outputs: readonly string[], carried?: readonly Carried[]): Stepper;

  /** Frees the memory of the model. */
  release(): Promise<void>;
}

/** How a device computes. */
export interface RunnerOptions {
  /** Threads that compute one operator; by default as many as the device thinks good. */
  readonly threads?: number;
  /** In a page without a bundler: the address of the folder that holds the files of onnxruntime-web. */
  readonly onnxruntime?: string;
}

/** Whether a device can be used here. */
export type Availability =
  | { readonly available: true; readonly detail: string }
  | { readonly available: false; readonly why: string; readonly remedy: string };

/** One place where networks run: a file in `devices/`, loaded when it is named. Whoever opens bounds the time. */
export interface DeviceModule {
  /** @param what names the model in errors @throws UserError when the device is not there or refuses the model */
  open(model: Uint8Array, options: RunnerOptions, what: string): Promise<Runner>;

  /** Looks, without side effects that outlive the call. */
  probe(options?: RunnerOptions): Promise<Availability>;
}
