/**
 * Says things: lays them out, signs them, keeps them, and only then hands them to the outbox.
 *
 * @module
 */

import { deviceIdOf, label, sign, type SigningKey } from "../crypto/identity.ts";
import type { Clock } from "../protocol/clock.ts";
import {
  Content,
  type Draft,
  encodeCore,
  encodeCoreHead,
  messageIdOf,
  Proof,
  signedFields,
} from "../protocol/entry.ts";
import { idBytes } from "../protocol/limits.ts";
import { messageIdAt } from "./message_id.ts";
import type { Outbox } from "./outbox.ts";
import type { OwnMessage } from "./store/store.ts";

/** What something said is, beside its text. */
export interface SayOptions {
  /** One of {@link Content}; a text where it is not given. */
  readonly content?: number;
  /** The entry that it edits, deletes, answers or reacts to: `refOf` in protocol/entry.ts. */
  readonly target?: Uint8Array | undefined;
}

/** What a speaker needs. */
export interface SpeakerOptions {
  readonly device: SigningKey;
  readonly clock: Clock;
  readonly outbox: Outbox;
  /** Keeps messages; throws where it cannot. */
  readonly keep: (messages: readonly OwnMessage[]) => void;
  /** Told when nothing more can be kept. */
  readonly onFailure: (cause: unknown) => void;
}

/** Something that has been signed, and is not kept yet. */
interface Waiting {
  readonly message: OwnMessage;
  readonly release: () => void;
  readonly kept: PromiseWithResolvers<Uint8Array>;
}

/** MUST keep the order of what is said; MUST send nothing that is not kept. */
export class Speaker {
  readonly #options: SpeakerOptions;
  readonly #deviceId: Uint8Array;
  /** Signing is asynchronous; what is said keeps its order. */
  #inOrder: Promise<void> = Promise.resolve();
  #lastKept: Promise<void> = Promise.resolve();
  #waiting: Waiting[] = [];
  #isFlushing = false;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#deviceId = deviceIdOf(options.device.publicKey);
  }

  /** Says something in a room. Resolves with its message id when it is kept. */
  say(room: Uint8Array, text: string, options: SayOptions): Promise<Uint8Array> {
    const draft = this.#draft(text, options);
    const signing = this.#sign(room, draft);
    const release = this.#options.outbox.reserve(draft.payload.length);
    const kept = Promise.withResolvers<Uint8Array>();
    this.#inOrder = this.#inOrder.then(async () => {
      this.#waiting.push({ message: { room, core: await signing }, release, kept });
      this.#flushLater();
    });
    this.#lastKept = kept.promise.then(() => {}, () => {});
    return kept.promise;
  }

  /** Resolves when all that was said is kept, or could not be. */
  done(): Promise<void> {
    return this.#lastKept;
  }

  #draft(text: string, { content = Content.text, target }: SayOptions): Draft {
    const chance = crypto.getRandomValues(new Uint8Array(idBytes));
    return {
      proof: Proof.signature,
      content,
      messageId: messageIdAt(this.#options.clock.now(), chance),
      ...(target && { target }),
      payload: new TextEncoder().encode(text),
    };
  }

  async #sign(room: Uint8Array, draft: Draft): Promise<Uint8Array> {
    const fields = signedFields(room, this.#deviceId, encodeCoreHead(draft), draft.payload);
    return encodeCore(draft, await sign(this.#options.device, label.entry, fields));
  }

  #flushLater(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#options.clock.turn(() => this.#flush());
  }

  /** Keeps all that waits, at once. */
  #flush(): void {
    const { outbox, keep, onFailure } = this.#options;
    this.#isFlushing = false;
    const waiting = this.#waiting.splice(0);
    try {
      keep(waiting.map(({ message }) => message));
    } catch (cause) {
      for (const { kept } of waiting) kept.reject(cause);
      return onFailure(cause);
    }
    for (const { message, release, kept } of waiting) {
      outbox.add(message);
      release();
      kept.resolve(messageIdOf(message.core));
    }
  }
}
