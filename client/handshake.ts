/**
 * The client's side of the handshake: from a bare link to one that is encrypted to a server whose
 * identity is known.
 *
 * @module
 */

import { OpeningChannel, pairChannel, SealingChannel } from "../crypto/channel.ts";
import { label, verify } from "../crypto/identity.ts";
import { HandshakeError, initiate, type Initiator } from "../crypto/noise.ts";
import { type Bytes, fromBase64Url } from "../protocol/bytes.ts";
import { promptSkipper } from "../protocol/classic_server_reader.ts";
import { CutShort, ProtocolError } from "../protocol/errors.ts";
import { frame, UnframeStream } from "../protocol/framer.ts";
import { FrameQueue } from "../protocol/frame_queue.ts";
import {
  decodePayload,
  decodeRefusal,
  encodeHello,
  encodePayload,
  prologue,
  type ServerHello,
  serverHello,
  version,
} from "../protocol/hello.ts";
import { dhBytes } from "../crypto/noise.ts";
import { frameBytesMax } from "../protocol/limits.ts";
import { visible } from "../protocol/visible.ts";
import { type Link, through, writeAll } from "../protocol/link.ts";

/** A link that is encrypted to a server; nobody has logged in yet. */
export interface SecureLink {
  readonly link: Link;
  readonly opening: OpeningChannel;
  readonly sealing: SealingChannel;
  /** This handshake's hash: logging in signs it. */
  readonly hash: Uint8Array;
  /** The server's identity key, proven. */
  readonly server: Uint8Array;
  readonly limits: ServerHello["limits"];
  readonly frames: ReadableStreamDefaultReader<Bytes[]>;
  /** Frames that came close behind the handshake. */
  readonly early: FrameQueue;
}

/**
 * Shakes hands over a link.
 *
 * @param checkServer throws when the server's identity key is not the expected one
 * @throws {ProtocolError} what the server refuses with; bad_frame where it does not speak our protocol
 */
export async function shakeHands(
  link: Link,
  checkServer: (identity: Uint8Array) => void | Promise<void>,
): Promise<SecureLink> {
  const payload = encodePayload({ versions: [version], capabilities: [] });
  const initiator = await initiate(prologue(dhBytes + payload.length), payload);
  await writeAll(link, frame(encodeHello(initiator.message)));
  const unframe = new UnframeStream(() => frameBytesMax, promptSkipper());
  const frames = through(link, unframe).getReader();
  const early = new FrameQueue(frames);
  const { hello, result } = await finish(initiator, await firstFrame(early));
  const [server, signature] = [keyBytesOf(hello.identity), keyBytesOf(hello.signature)];
  if (!await verify(server, label.serverKey, [result.serverStatic], signature)) {
    throw new ProtocolError("bad_frame", "The server cannot prove its identity. Do not go on.");
  }
  await checkServer(server);
  return {
    link,
    opening: await OpeningChannel.create(pairChannel, result.serverKey),
    sealing: await SealingChannel.create(pairChannel, result.clientKey),
    hash: result.hash,
    server,
    limits: hello.limits,
    frames,
    early,
  };
}

function keyBytesOf(text: string): Bytes {
  try {
    return fromBase64Url(text);
  } catch (cause) {
    throw new ProtocolError("bad_message", "The server's handshake is not valid.", { cause });
  }
}

async function firstFrame(early: FrameQueue): Promise<Bytes> {
  try {
    return await early.next();
  } catch (cause) {
    if (cause instanceof CutShort) {
      throw new CutShort(
        "The connection ended before the server answered. If it stays so, check host and port; an " +
          "original server of the first version needs --classic.",
        { cause },
      );
    }
    if (!(cause instanceof ProtocolError)) throw cause; // The link broke.
    throw new ProtocolError(
      "bad_frame",
      "What answers there does not speak this protocol. Check host and port; an original server " +
        "of the first version needs --classic.",
      { cause },
    );
  }
}

async function finish(initiator: Initiator, answer: Bytes) {
  const refusal = decodeRefusal(answer);
  if (refusal) {
    const { code, text, retryAfterMs } = refusal;
    throw new UnprovenRefusal(code, text, retryAfterMs);
  }
  try {
    const result = await initiator.finish(answer);
    const hello = decodePayload(serverHello, result.payload);
    if (hello.version !== version) throw new ProtocolError("version");
    return { hello, result };
  } catch (cause) {
    if (!(cause instanceof HandshakeError)) throw cause;
    throw new ProtocolError("bad_frame", "The server's handshake does not verify.", { cause });
  }
}

/** The server ended it, with a code that may be newer than this client. Its text is safe to show. */
export class Refused extends Error {
  override readonly name = "Refused";
  readonly code: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: string, text: string, retryAfterMs?: number) {
    super(visible(text));
    this.code = code;
    this.retryAfterMs = retryAfterMs;
  }
}

/**
 * A refusal in the clear. Nothing vouches for it: anybody on the way can make one up. So it ends this
 * attempt and nothing else.
 */
export class UnprovenRefusal extends Refused {}
