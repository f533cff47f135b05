import * as $protobuf from "protobufjs/minimal.js";
import type { Long } from "protobufjs/minimal.js";

/** Namespace bitspike. */
export namespace bitspike {

    /** Namespace tensorboard. */
    namespace tensorboard {

        /**
         * Properties of an Event.
         * @deprecated Use bitspike.tensorboard.Event.$Properties instead.
         */
        interface IEvent extends bitspike.tensorboard.Event.$Properties {
        }

        /** Represents an Event. */
        class Event {

            /**
             * Constructs a new Event.
             * @param [properties] Properties to set
             */
            constructor(properties?: bitspike.tensorboard.Event.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Event wallTime. */
            wallTime: number;

            /** Event step. */
            step: (number|Long);

            /** Event fileVersion. */
            fileVersion?: (string|null);

            /** Event summary. */
            summary?: (bitspike.tensorboard.Summary.$Properties|null);

            /** Event sessionLog. */
            sessionLog?: (bitspike.tensorboard.SessionLog.$Properties|null);

            /** Event what. */
            what?: ("fileVersion"|"summary"|"sessionLog");

            /**
             * Encodes the specified Event message. Does not implicitly {@link bitspike.tensorboard.Event.verify|verify} messages.
             * @param message Event message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: bitspike.tensorboard.Event.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes an Event message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {bitspike.tensorboard.Event & bitspike.tensorboard.Event.$Shape} Event
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): bitspike.tensorboard.Event & bitspike.tensorboard.Event.$Shape;
        }

        namespace Event {

            /** Properties of an Event. */
            interface $Properties {

                /** Event wallTime */
                wallTime?: (number|null);

                /** Event step */
                step?: (number|Long|null);

                /** Event fileVersion */
                fileVersion?: (string|null);

                /** Event summary */
                summary?: (bitspike.tensorboard.Summary.$Properties|null);

                /** Event sessionLog */
                sessionLog?: (bitspike.tensorboard.SessionLog.$Properties|null);

                /** Event what */
                what?: ("fileVersion"|"summary"|"sessionLog");

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Narrowed shape of an Event. */
            type $Shape = {
              wallTime?: number|null;
              step?: number|Long|null;
              fileVersion?: string|null;
              summary?: bitspike.tensorboard.Summary.$Shape|null;
              sessionLog?: bitspike.tensorboard.SessionLog.$Shape|null;
              $unknowns?: Uint8Array[];
            } & (
              ({ what?: undefined; fileVersion?: null; summary?: null; sessionLog?: null }|{ what?: "fileVersion"; fileVersion: string; summary?: null; sessionLog?: null }|{ what?: "summary"; fileVersion?: null; summary: bitspike.tensorboard.Summary.$Shape; sessionLog?: null }|{ what?: "sessionLog"; fileVersion?: null; summary?: null; sessionLog: bitspike.tensorboard.SessionLog.$Shape })
            );
        }

        /**
         * Properties of a SessionLog.
         * @deprecated Use bitspike.tensorboard.SessionLog.$Properties instead.
         */
        interface ISessionLog extends bitspike.tensorboard.SessionLog.$Properties {
        }

        /** Represents a SessionLog. */
        class SessionLog {

            /**
             * Constructs a new SessionLog.
             * @param [properties] Properties to set
             */
            constructor(properties?: bitspike.tensorboard.SessionLog.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** SessionLog status. */
            status: bitspike.tensorboard.SessionLog.SessionStatus;

            /**
             * Encodes the specified SessionLog message. Does not implicitly {@link bitspike.tensorboard.SessionLog.verify|verify} messages.
             * @param message SessionLog message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: bitspike.tensorboard.SessionLog.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a SessionLog message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {bitspike.tensorboard.SessionLog & bitspike.tensorboard.SessionLog.$Shape} SessionLog
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): bitspike.tensorboard.SessionLog & bitspike.tensorboard.SessionLog.$Shape;
        }

        namespace SessionLog {

            /** Properties of a SessionLog. */
            interface $Properties {

                /** SessionLog status */
                status?: (bitspike.tensorboard.SessionLog.SessionStatus|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a SessionLog. */
            type $Shape = bitspike.tensorboard.SessionLog.$Properties;

            /** SessionStatus enum. */
            enum SessionStatus {

                /** STATUS_UNSPECIFIED value */
                STATUS_UNSPECIFIED = 0,

                /** START value */
                START = 1
            }
        }

        /**
         * Properties of a Summary.
         * @deprecated Use bitspike.tensorboard.Summary.$Properties instead.
         */
        interface ISummary extends bitspike.tensorboard.Summary.$Properties {
        }

        /** Represents a Summary. */
        class Summary {

            /**
             * Constructs a new Summary.
             * @param [properties] Properties to set
             */
            constructor(properties?: bitspike.tensorboard.Summary.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** Summary value. */
            value: bitspike.tensorboard.Summary.Value.$Properties[];

            /**
             * Encodes the specified Summary message. Does not implicitly {@link bitspike.tensorboard.Summary.verify|verify} messages.
             * @param message Summary message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: bitspike.tensorboard.Summary.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a Summary message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {bitspike.tensorboard.Summary & bitspike.tensorboard.Summary.$Shape} Summary
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): bitspike.tensorboard.Summary & bitspike.tensorboard.Summary.$Shape;
        }

        namespace Summary {

            /** Properties of a Summary. */
            interface $Properties {

                /** Summary value */
                value?: (bitspike.tensorboard.Summary.Value.$Properties[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a Summary. */
            type $Shape = {
              value?: bitspike.tensorboard.Summary.Value.$Shape[]|null;
              $unknowns?: Uint8Array[];
            };

            /**
             * Properties of a Value.
             * @deprecated Use bitspike.tensorboard.Summary.Value.$Properties instead.
             */
            interface IValue extends bitspike.tensorboard.Summary.Value.$Properties {
            }

            /** Represents a Value. */
            class Value {

                /**
                 * Constructs a new Value.
                 * @param [properties] Properties to set
                 */
                constructor(properties?: bitspike.tensorboard.Summary.Value.$Properties);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];

                /** Value tag. */
                tag: string;

                /** Value simpleValue. */
                simpleValue?: (number|null);

                /** Value histo. */
                histo?: (bitspike.tensorboard.HistogramProto.$Properties|null);

                /** Value value. */
                value?: ("simpleValue"|"histo");

                /**
                 * Encodes the specified Value message. Does not implicitly {@link bitspike.tensorboard.Summary.Value.verify|verify} messages.
                 * @param message Value message or plain object to encode
                 * @param [writer] Writer to encode to
                 * @returns Writer
                 */
                static encode(message: bitspike.tensorboard.Summary.Value.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

                /**
                 * Decodes a Value message from the specified reader or buffer.
                 * @param reader Reader or buffer to decode from
                 * @param [length] Message length if known beforehand
                 * @returns {bitspike.tensorboard.Summary.Value & bitspike.tensorboard.Summary.Value.$Shape} Value
                 * @throws {Error} If the payload is not a reader or valid buffer
                 * @throws {$protobuf.util.ProtocolError} If required fields are missing
                 */
                static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): bitspike.tensorboard.Summary.Value & bitspike.tensorboard.Summary.Value.$Shape;
            }

            namespace Value {

                /** Properties of a Value. */
                interface $Properties {

                    /** Value tag */
                    tag?: (string|null);

                    /** Value simpleValue */
                    simpleValue?: (number|null);

                    /** Value histo */
                    histo?: (bitspike.tensorboard.HistogramProto.$Properties|null);

                    /** Value value */
                    value?: ("simpleValue"|"histo");

                    /** Unknown fields preserved while decoding when enabled */
                    $unknowns?: Uint8Array[];
                }

                /** Narrowed shape of a Value. */
                type $Shape = {
                  tag?: string|null;
                  simpleValue?: number|null;
                  histo?: bitspike.tensorboard.HistogramProto.$Shape|null;
                  $unknowns?: Uint8Array[];
                } & (
                  ({ value?: undefined; simpleValue?: null; histo?: null }|{ value?: "simpleValue"; simpleValue: number; histo?: null }|{ value?: "histo"; simpleValue?: null; histo: bitspike.tensorboard.HistogramProto.$Shape })
                );
            }
        }

        /**
         * Properties of a HistogramProto.
         * @deprecated Use bitspike.tensorboard.HistogramProto.$Properties instead.
         */
        interface IHistogramProto extends bitspike.tensorboard.HistogramProto.$Properties {
        }

        /** Represents a HistogramProto. */
        class HistogramProto {

            /**
             * Constructs a new HistogramProto.
             * @param [properties] Properties to set
             */
            constructor(properties?: bitspike.tensorboard.HistogramProto.$Properties);

            /** Unknown fields preserved while decoding when enabled */
            $unknowns?: Uint8Array[];

            /** HistogramProto min. */
            min: number;

            /** HistogramProto max. */
            max: number;

            /** HistogramProto num. */
            num: number;

            /** HistogramProto sum. */
            sum: number;

            /** HistogramProto sumSquares. */
            sumSquares: number;

            /** HistogramProto bucketLimit. */
            bucketLimit: number[];

            /** HistogramProto bucket. */
            bucket: number[];

            /**
             * Encodes the specified HistogramProto message. Does not implicitly {@link bitspike.tensorboard.HistogramProto.verify|verify} messages.
             * @param message HistogramProto message or plain object to encode
             * @param [writer] Writer to encode to
             * @returns Writer
             */
            static encode(message: bitspike.tensorboard.HistogramProto.$Properties, writer?: $protobuf.Writer): $protobuf.Writer;

            /**
             * Decodes a HistogramProto message from the specified reader or buffer.
             * @param reader Reader or buffer to decode from
             * @param [length] Message length if known beforehand
             * @returns {bitspike.tensorboard.HistogramProto & bitspike.tensorboard.HistogramProto.$Shape} HistogramProto
             * @throws {Error} If the payload is not a reader or valid buffer
             * @throws {$protobuf.util.ProtocolError} If required fields are missing
             */
            static decode(reader: ($protobuf.Reader|Uint8Array), length?: number): bitspike.tensorboard.HistogramProto & bitspike.tensorboard.HistogramProto.$Shape;
        }

        namespace HistogramProto {

            /** Properties of a HistogramProto. */
            interface $Properties {

                /** HistogramProto min */
                min?: (number|null);

                /** HistogramProto max */
                max?: (number|null);

                /** HistogramProto num */
                num?: (number|null);

                /** HistogramProto sum */
                sum?: (number|null);

                /** HistogramProto sumSquares */
                sumSquares?: (number|null);

                /** HistogramProto bucketLimit */
                bucketLimit?: (number[]|null);

                /** HistogramProto bucket */
                bucket?: (number[]|null);

                /** Unknown fields preserved while decoding when enabled */
                $unknowns?: Uint8Array[];
            }

            /** Shape of a HistogramProto. */
            type $Shape = bitspike.tensorboard.HistogramProto.$Properties;
        }
    }
}
