/**
 * Sealing and opening what members say: MLS PrivateMessages (RFC 9420, section 6.3).
 *
 * @module
 */

import type { CiphersuiteImpl } from "ts-mls/crypto/ciphersuite.js";
import {
  signFramedContentApplicationOrProposal,
  verifyFramedContentSignature,
} from "ts-mls/framedContent.js";
import {
  decodePrivateMessageContent,
  decryptSenderData,
  encodePrivateContentAAD,
  encodePrivateMessageContent,
  encryptSenderData,
  type PrivateMessage,
  toAuthenticatedContent,
} from "ts-mls/privateMessage.js";
import type { ReuseGuard } from "ts-mls/sender.js";
import { type Bytes, importKey, open, seal } from "../aes_gcm.ts";
import { pad, unpad } from "../padding.ts";
import { isSame } from "./bytes.ts";
import { type Epoch, noSigningKey, wipe } from "./epoch.ts";
import { GroupError } from "./error.ts";
import type { MessageKey } from "./secret_tree.ts";
import { leafAt } from "./tree.ts";

const guardBytes = 4;
/** Of the library; the plaintext is padded before. */
const noPadding = { kind: "alwaysPad", paddingLength: 0 } as const;

/** Seals with our next key, which is taken in this turn: no two messages have the same. */
export async function sealMessage(
  { context, schedule, secrets, path }: Epoch,
  plaintext: Uint8Array,
  authenticatedData: Uint8Array,
  suite: CiphersuiteImpl,
): Promise<PrivateMessage> {
  const { generation, ...messageKey } = secrets.next(path.leafIndex);
  const { groupId, epoch } = context;
  const content = {
    contentType: "application" as const,
    applicationData: pad(plaintext),
    groupId,
    epoch,
    sender: { senderType: "member" as const, leafIndex: path.leafIndex },
    authenticatedData,
  };
  const auth = await signFramedContentApplicationOrProposal(noSigningKey, {
    protocolVersion: context.version,
    wireformat: "mls_private_message",
    content,
    senderType: "member",
    context,
  }, suite);
  const about = { groupId, epoch, contentType: content.contentType };
  const reuseGuard = suite.rng.randomBytes(guardBytes) as ReuseGuard;
  const key = await importKey(messageKey.key, "encrypt");
  const ciphertext = await seal(
    key,
    guarded(messageKey, reuseGuard),
    encodePrivateMessageContent(noPadding)({ ...content, auth }),
    encodePrivateContentAAD({ ...about, authenticatedData }),
  );
  wipe(messageKey.key);
  const senderData = { leafIndex: path.leafIndex, generation, reuseGuard };
  const encryptedSenderData = await encryptSenderData(
    schedule.senderDataSecret,
    senderData,
    about,
    ciphertext,
    suite,
  );
  return { ...about, authenticatedData, encryptedSenderData, ciphertext };
}

/**
 * Opens somebody's message of this epoch. Its key is used up only when it has been opened.
 *
 * @throws what the library throws, or a GroupError
 */
export async function openMessage(
  epoch: Epoch,
  message: PrivateMessage,
  suite: CiphersuiteImpl,
): Promise<{ plaintext: Bytes; leaf: number }> {
  const { context, schedule, secrets, tree, path } = epoch;
  const { authenticatedData, contentType } = message;
  if (contentType !== "application") throw new GroupError("invalid", "The message is no message.");
  const senderData = await decryptSenderData(message, schedule.senderDataSecret, suite);
  const sender = senderData && leafAt(tree, senderData.leafIndex);
  if (!sender) throw new GroupError("invalid", "The message is by nobody in the room.");
  const { leafIndex: leaf, generation, reuseGuard } = senderData;
  if (leaf === path.leafIndex) throw new GroupError("own", "The message is our own.");
  const { key: messageKey, use } = secrets.find(leaf, generation);
  const opened = await open(
    await importKey(messageKey.key, "decrypt"),
    guarded(messageKey, reuseGuard),
    message.ciphertext,
    encodePrivateContentAAD({
      groupId: context.groupId,
      epoch: context.epoch,
      contentType,
      authenticatedData,
    }),
  );
  const [inner] = decodePrivateMessageContent(contentType)(opened, 0) ?? [];
  if (inner?.contentType !== "application") {
    throw new GroupError("invalid", "The message is not written as ours are.");
  }
  const { content, auth } = toAuthenticatedContent(inner, message, leaf);
  const isSigned = await verifyFramedContentSignature(
    sender.signaturePublicKey,
    "mls_private_message",
    content,
    auth,
    context,
    suite.signature,
  );
  if (!isSigned) throw new GroupError("invalid", "The message is not signed by its sender.");
  const plaintext = unpad(inner.applicationData);
  if (!plaintext) throw new GroupError("invalid", "The message is not padded as ours are.");
  use();
  wipe(messageKey.key);
  return { plaintext, leaf };
}

/** Whether the message's authenticated data is this. */
export function isAbout(message: PrivateMessage, context: Uint8Array): boolean {
  return isSame(message.authenticatedData, context);
}

/** The nonce, mixed with the random bytes that guard against a state that was used twice. */
function guarded({ nonce }: MessageKey, guard: Uint8Array): Bytes {
  return nonce.map((byte, at) => byte ^ (guard[at] ?? 0)) as Bytes;
}
