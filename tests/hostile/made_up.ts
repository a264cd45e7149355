/**
 * A group that a server makes up for a room, with members of the real one in it: their key packages lie
 * with the server, and the rules are in every group info.
 *
 * @module
 */

import { Group, type GroupRules } from "../../crypto/group.ts";
import { deviceIdOf, type Identity } from "../../crypto/identity.ts";
import { type Bytes, concat, fromBase64Url, toBase64Url } from "../../protocol/bytes.ts";
import { decodeCommit, encodeCommit } from "../../protocol/commit.ts";
import {
  Content,
  decodeCore,
  encodeCore,
  encodeCoreHead,
  type Epoch,
  Proof,
} from "../../protocol/entry.ts";
import { sha256 } from "../../protocol/hash.ts";
import { objectChunkBytesMax } from "../../protocol/limits.ts";
import type { Cursor, Message, Person } from "../../protocol/message.ts";
import { upload } from "../../client/sealed/objects.ts";
import { sealingContext } from "../../client/sealed/reading.ts";
import { encodeSaid } from "../../client/sealed/trail.ts";
import { newMessageId, signCore } from "../../client/signed_core.ts";
import type { User } from "../fixtures/user.ts";
import { quiet } from "../crypto/room.ts";
import type { Row, Teller } from "./tampering.ts";

/** Makes one, in which a ghost is the owner. */
export async function makeUp(
  ghost: Identity,
  { room, generation, rules }: { room: Uint8Array; generation: number; rules: GroupRules },
  keyPackages: readonly Uint8Array[],
): Promise<Group> {
  const roles = [...rules.roles, { user: ghost.user.publicKey, role: "owner" as const }];
  const group = await Group.create(ghost, room, generation, { ...rules, roles });
  const add = keyPackages.map((keyPackage) => ({ keyPackage }));
  return (await group.stage({ add }, quiet)).group;
}

/** What somebody who has a group's keys says, as an entry of this device's. */
export async function sealAs(
  deviceId: Uint8Array,
  { group, at, text }: { group: Group; at: Cursor; text: string },
): Promise<Row> {
  const { room, generation, epoch } = group;
  const payload = new TextEncoder().encode(text);
  const messageId = newMessageId(Date.now());
  const epochNow = { generation, epoch };
  const draft = { proof: Proof.mls, content: Content.text, messageId, epoch: epochNow, payload };
  const context = sealingContext(room, deviceId, encodeCoreHead(draft));
  const sealed = await group.seal(encodeSaid(at, payload), context);
  return { deviceId, core: encodeCore({ ...draft, payload: sealed }) };
}

/** Puts a commit into a room's log that no client of ours would make. */
export async function force(
  { client }: User,
  { device }: Identity,
  group: Pick<Group, "room" | "generation" | "epoch">,
  commit: Uint8Array,
): Promise<void> {
  const { room, generation, epoch } = group;
  const server = { command: client.command.bind(client), publish: () => {} };
  const groupInfo = await upload(server, room, new Uint8Array(100));
  const object = { hash: await upload(server, room, commit), bytes: commit.length };
  const { commit: after } = await client.command("group", {}, room);
  const core = await signCore(device, room, {
    proof: Proof.signature,
    content: Content.commit,
    messageId: newMessageId(Date.now()),
    epoch: { generation, epoch },
    payload: encodeCommit({ object }),
  });
  const args = { core, groupInfo, generation, epoch: epoch + 1, welcomes: [] };
  await client.command("commit", { ...args, ...(after && { after }) }, room);
}

/** What a server says of the ghost. */
export function personOf({ user, device, certificate }: Identity, name: string): Person {
  return {
    deviceId: deviceIdOf(device.publicKey),
    userId: new Uint8Array(16).fill(9),
    name,
    keys: { user: user.publicKey, device: device.publicKey, certificate },
  };
}

/** Answers what one client asks about a room's group in the server's place. */
export class Impostor {
  /** What can be fetched, by hash. */
  readonly #objects = new Map<string, Uint8Array>();
  readonly #uploads = new Map<string, Uint8Array[]>();
  #place: Epoch | undefined;
  #groupInfo: Bytes = new Uint8Array(0);
  /** Names of the commands that the client has asked for here. */
  readonly asked: string[] = [];
  /** The commits that the client wanted in the log. */
  readonly commits: Uint8Array[] = [];
  readonly #room: Uint8Array;
  readonly #device: Uint8Array;
  #welcome: Uint8Array | undefined;

  /** @param device whose commits are told as won */
  constructor(room: Uint8Array, device: Uint8Array) {
    this.#room = room;
    this.#device = device;
  }

  /** From now on this is the room's group. */
  async pretend(group: Pick<Group, "generation" | "epoch" | "groupInfo">): Promise<void> {
    this.#place = { generation: group.generation, epoch: group.epoch };
    this.#groupInfo = await group.groupInfo();
    this.give(this.#groupInfo);
  }

  /** Lets a client have an object. */
  give(object: Uint8Array): Uint8Array {
    const hash = sha256(object);
    this.#objects.set(toBase64Url(hash), object);
    return hash;
  }

  /** A ghost's commit that adds a client, by a welcome that it is given. */
  async welcome(ghost: Identity, group: Group, keyPackage: Uint8Array): Promise<Row> {
    const { generation, epoch } = group;
    const { commit, welcome } = await group.stage({ add: [{ keyPackage }] }, quiet);
    this.#welcome = this.give(welcome!);
    const object = { hash: this.give(commit), bytes: commit.length };
    const core = await signCore(ghost.device, this.#room, {
      proof: Proof.signature,
      content: Content.commit,
      messageId: newMessageId(Date.now()),
      epoch: { generation, epoch },
      payload: encodeCommit({ object }),
    });
    return { deviceId: deviceIdOf(ghost.device.publicKey), core };
  }

  /** Whether the server hears this. */
  readonly hears = (message: Message, teller: Teller): boolean => {
    if (message.type !== "request" || !this.#place) return true;
    const { request, command } = message;
    const args = message.args as Record<string, never>;
    const answer = this.#answer(command, args, teller);
    if (!answer) return true;
    this.asked.push(command);
    teller.tell({ type: "answer", request, value: answer });
    return false;
  };

  #answer(command: string, args: Record<string, never>, teller: Teller): object | undefined {
    switch (command) {
      case "group": {
        const { generation, epoch } = this.#place!;
        const [hash, commit] = [sha256(this.#groupInfo), new Uint8Array(16).fill(3)].map(
          toBase64Url,
        );
        const bytes = this.#groupInfo.length;
        return { generation, epoch, seq: 1, commit, groupInfo: hash, bytes };
      }
      case "download": {
        const object = this.#objects.get(args["hash"]!);
        const data = object?.subarray(args["at"]!).subarray(0, objectChunkBytesMax);
        return object && { bytes: object.length, data: toBase64Url(data!) };
      }
      case "welcome":
        if (!this.#welcome) return {};
        return {
          hash: toBase64Url(this.#welcome),
          bytes: this.#objects.get(toBase64Url(this.#welcome))!.length,
          seq: 1,
        };
      case "commit": {
        const core = fromBase64Url(args["core"]!);
        const commit = decodeCommit(decodeCore(core).payload);
        const uploaded = this.#uploads.get(
          "object" in commit ? toBase64Url(commit.object.hash) : "",
        );
        this.commits.push("mls" in commit ? commit.mls : concat(uploaded ?? []));
        teller.append(this.#room, { deviceId: this.#device, core });
        return { seq: 1 };
      }
      case "upload":
        this.#uploads.set(args["hash"]!, [
          ...this.#uploads.get(args["hash"]!) ?? [],
          fromBase64Url(args["data"]!),
        ]);
        return {};
      case "knock":
        return {};
      default:
        return undefined;
    }
  }
}
