/** The types of `@std/streams`. */

type Bytes = Uint8Array<ArrayBuffer>;

/** Where a delimiter goes: to the end of a chunk, to the start of the next, or nowhere. */
export type DelimiterDisposition = "suffix" | "prefix" | "discard";

export interface DelimiterStreamOptions {
  /** Default: `"discard"`. */
  disposition?: DelimiterDisposition;
}

/** Splits bytes at a delimiter. */
export class DelimiterStream extends TransformStream<Bytes, Bytes> {
  constructor(delimiter: Uint8Array, options?: DelimiterStreamOptions);
}

/** Splits text at a delimiter. */
export class TextDelimiterStream extends TransformStream<string, string> {
  constructor(delimiter: string, options?: DelimiterStreamOptions);
}

export interface TextLineStreamOptions {
  /** A lone `\r` ends a line too. Default: `false`. */
  allowCR?: boolean;
}

/** Splits text into lines, at `\n` and `\r\n`. */
export class TextLineStream extends TransformStream<string, string> {
  constructor(options?: TextLineStreamOptions);
}

export interface LimitedTransformStreamOptions {
  /** Throw a `RangeError` at the limit instead of ending the stream. Default: `false`. */
  error?: boolean;
}

/** Lets through at most `size` bytes. */
export class LimitedBytesTransformStream extends TransformStream<Bytes, Bytes> {
  constructor(size: number, options?: LimitedTransformStreamOptions);
}

/** Lets through at most `size` chunks. */
export class LimitedTransformStream<T> extends TransformStream<T, T> {
  constructor(size: number, options?: LimitedTransformStreamOptions);
}

/** Lets through the bytes from `start` to `end`, both included. */
export class ByteSliceStream extends TransformStream<Bytes, Bytes> {
  constructor(start?: number, end?: number);
}

/** One stream after the other. */
export function concatReadableStreams<T>(...streams: ReadableStream<T>[]): ReadableStream<T>;

/** All streams at once, in the order in which chunks arrive. */
export function mergeReadableStreams<T>(...streams: ReadableStream<T>[]): ReadableStream<T>;

/** A chunk of each stream in turn, until all have ended. */
export function zipReadableStreams<T>(...streams: ReadableStream<T>[]): ReadableStream<T>;

/** A chunk of each stream in turn, until one has ended. */
export function earlyZipReadableStreams<T>(...streams: ReadableStream<T>[]): ReadableStream<T>;

export function toArrayBuffer(stream: ReadableStream<Uint8Array>): Promise<ArrayBuffer>;
export function toBlob(stream: ReadableStream<Bytes>): Promise<Blob>;
export function toBytes(stream: ReadableStream<Uint8Array>): Promise<Bytes>;
export function toJson(stream: ReadableStream<string | Uint8Array>): Promise<unknown>;
export function toText(stream: ReadableStream<string | Uint8Array>): Promise<string>;

/** Makes a generator over chunks a `TransformStream`. */
export function toTransformStream<I, O>(
  transformer: (src: ReadableStream<I>) => Iterable<O> | AsyncIterable<O>,
  writableStrategy?: QueuingStrategy<I>,
  readableStrategy?: QueuingStrategy<O>,
): TransformStream<I, O>;
