/**
 * From a bare connection to a session: the handshake, then the login, before a deadline.
 *
 * @module
 */

import type { AeadFactory } from "../../crypto/aes_gcm.ts";
import { OpeningChannel, pairChannel, SealingChannel } from "../../crypto/channel.ts";
import {
  deviceIdOf,
  label,
  sign,
  type SigningKey,
  verify,
  verifyCertificate,
} from "../../crypto/identity.ts";
import { type DhKeyPair, generateDhKeyPair, HandshakeError, respond } from "../../crypto/noise.ts";
import { type Bytes, toBase64Url } from "../../protocol/bytes.ts";
import { ProtocolError } from "../../protocol/errors.ts";
import {
  clientHello,
  decodeHello,
  decodePayload,
  encodePayload,
  prologue,
  version,
} from "../../protocol/hello.ts";
import { frameBytesMax, payloadBytesMax } from "../../protocol/limits.ts";
import { type Control, decodeMessages } from "../../protocol/message.ts";
import type { Credentials } from "../people.ts";

/** The server's side of every handshake: its identity, and a noise key that the identity vouches for. */
export interface ServerKeys {
  readonly identity: SigningKey;
  readonly noise: DhKeyPair;
  /** The identity's signature over the noise key. */
  readonly signature: Bytes;
  /** What seals and opens. */
  readonly aead: AeadFactory;
}

/** A noise key for this run of the server. */
export async function makeServerKeys(
  identity: SigningKey,
  aead: AeadFactory,
): Promise<ServerKeys> {
  const noise = await generateDhKeyPair();
  const signature = await sign(identity, label.serverKey, [noise.publicKey]);
  return { identity, noise, signature, aead };
}

/** What a handshake leaves behind. */
export interface Pair {
  readonly opening: OpeningChannel;
  readonly sealing: SealingChannel;
  readonly hash: Uint8Array;
  /** The body of the frame that answers the client. */
  readonly answer: Bytes;
}

/**
 * Answers a client's hello.
 *
 * @throws {ProtocolError} version, bad_message, bad_frame
 */
export async function shakeHands(body: Uint8Array, keys: ServerKeys): Promise<Pair> {
  const noise = decodeHello(body);
  try {
    const response = await respond(prologue(noise.length), keys.noise, noise, (payload) => {
      const hello = decodePayload(clientHello, payload);
      if (!hello.versions.includes(version)) throw new ProtocolError("version");
      return encodePayload({
        version,
        identity: toBase64Url(keys.identity.publicKey),
        signature: toBase64Url(keys.signature),
        limits: { frameBytesMax, payloadBytesMax },
      });
    });
    return {
      opening: await OpeningChannel.create(pairChannel, response.clientKey, 0, keys.aead),
      sealing: await SealingChannel.create(pairChannel, response.serverKey, keys.aead),
      hash: response.hash,
      answer: response.message,
    };
  } catch (cause) {
    if (!(cause instanceof HandshakeError)) throw cause;
    throw new ProtocolError("bad_frame", "The handshake is not a valid one.", { cause });
  }
}

/**
 * The credentials in a client's first sealed frame, all signatures checked.
 *
 * @throws {ProtocolError} bad_message, bad_login
 */
export async function checkLogin(
  messages: Uint8Array,
  hash: Uint8Array,
  keys: ServerKeys,
): Promise<{ credentials: Credentials; invitation: Uint8Array | undefined }> {
  const [login, ...rest] = decodeMessages(messages);
  if (login?.type !== "login" || rest.length > 0) {
    throw new ProtocolError("bad_message", "The first message must be the login.");
  }
  const { userKey, deviceKey, certificate, name } = login;
  const isGenuine =
    await verify(deviceKey, label.login, loginFields(login, hash, keys), login.signature) &&
    await verifyCertificate(userKey, deviceKey, certificate);
  if (!isGenuine) throw new ProtocolError("bad_login");
  const deviceId = deviceIdOf(deviceKey);
  return {
    credentials: { name, userKey, deviceId, deviceKey, certificate },
    invitation: login.invitation,
  };
}

function loginFields(login: Control<"login">, hash: Uint8Array, { identity }: ServerKeys) {
  const name = new TextEncoder().encode(login.name);
  return [hash, identity.publicKey, login.userKey, login.deviceKey, name];
}

/** Whether an invitation is the server's; takes the same time for every wrong one. */
export function isInvitation(given: Uint8Array | undefined, expected: Uint8Array): boolean {
  if (!given || given.length !== expected.length) return false;
  return given.reduce((difference, byte, at) => difference | (byte ^ expected[at]!), 0) === 0;
}
