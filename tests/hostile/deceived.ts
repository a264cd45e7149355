/**
 * Users of a server that was changed to deceive them: real clients, the real server, and somebody with the
 * server's keys in between.
 *
 * @module
 */

import type { ClientEntry } from "../../client/events.ts";
import { invite } from "../../client/sealed/acts.ts";
import { deviceIdOf, generateIdentity, type Identity } from "../../crypto/identity.ts";
import { Content, type Entry } from "../../protocol/entry.ts";
import { rules } from "../client/sealed_stories.ts";
import { MemoryClientStore } from "../fixtures/memory_client_store.ts";
import { comeBy, comeIn, make, type Member } from "../fixtures/sealed_user.ts";
import { User } from "../fixtures/user.ts";
import { Impostor, personOf } from "./made_up.ts";
import { fastClock } from "./served.ts";
import {
  type Hands,
  type Row,
  rowOf,
  serveTampering,
  type Tampering,
  type Teller,
} from "./tampering.ts";

/** Alice has a room, and Bob is in it; what he is told goes through somebody's hands. */
export interface Scene {
  readonly server: Tampering;
  readonly hands: Hands;
  readonly alice: User;
  readonly alices: Member;
  readonly bob: User;
  readonly bobs: Member;
  /** What Bob keeps. */
  readonly store: MemoryClientStore;
}

/** A test of what a deceived client does. */
export function deceived(name: string, play: (scene: Scene) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await serveTampering(rules);
    const hands: Hands = {};
    await using alice = await User.enter(server, "Alice");
    const alices = { user: alice, ...await make(alice) };
    const store = new MemoryClientStore();
    const bobs = await comeIn(server.by(hands), "Bob", alice, alices.sealed, {}, store);
    await using bob = bobs.user;
    await play({ server, hands, alice, alices, bob, bobs, store });
  });
}

/** What stands in the place of what nobody here can open … */
export const unopened = "[this message cannot be opened]";
/** … and of what was said in another log. */
export const astray = "[this was said in another log than this one: the server tells two]";

/** What puts entries into the log as Bob is told it that no server ever took. */
export async function appender({ hands, bob, bobs }: Scene): Promise<Teller["append"]> {
  let append: Teller["append"] | undefined;
  hands.heard = (_, teller) => {
    append = teller.append;
    return true;
  };
  bob.client.typing(bobs.room.id);
  await bob.until("a word", () => append !== undefined);
  return append!;
}

/** Whether somebody said something. */
export function isText({ core }: Entry): boolean {
  return core.content === Content.text;
}

/** Whether somebody changed the keys. */
export function isCommit({ core }: Entry): boolean {
  return core.content === Content.commit;
}

/** Says something, and waits until it is in the log. */
export async function say({ user, room }: Member, text: string): Promise<void> {
  await user.client.say(room.id, text);
  await user.hears(text);
}

/** Entries of a kind stand in the log as this makes them, by their place among those; others as they are. */
export function tellOf(
  isMeant: (entry: Entry) => boolean,
  tell: (entry: Entry, place: number) => readonly Row[],
): NonNullable<Hands["entry"]> {
  let place = 0;
  return (entry) => isMeant(entry) ? tell(entry, place++) : [rowOf(entry)];
}

/** What a user was shown that nobody vouches for. */
export function oddities(user: User): ClientEntry[] {
  return user.events.flatMap((event) => event.kind === "entries" ? event.entries : [])
    .filter(({ verified, core }) => verified !== "signed" && core.content < 128);
}

/** A key package of somebody's, which they have left with the server. */
export async function packageOf(server: Tampering, { client }: User): Promise<Uint8Array> {
  while ((await client.command("keys", { packages: [] })).left === 0) {
    await new Promise((resolve) => setTimeout(resolve, 100)); // They are left there in a moment.
  }
  const { name } = client.welcome;
  await using spy = await User.enter(server, `${name}-spy`);
  return (await spy.client.command("take", { user: name })).packages[0]!.package;
}

/** Somebody with a link, at whose door the server stands. */
export interface Arriving {
  readonly server: Tampering;
  readonly alice: User;
  readonly alices: Member;
  readonly hands: Hands;
  readonly impostor: Impostor;
  readonly ghost: Identity;
  /** Bob comes by the link; in a hurry, unless he is to wait for Alice to let him in. */
  arrive(hurry?: number): Promise<Member>;
}

/** A test of what somebody meets who comes by a link. */
export function arriving(name: string, play: (arriving: Arriving) => Promise<void>): void {
  Deno.test(name, async () => {
    await using server = await serveTampering(rules);
    await using alice = await User.enter(server, "Alice");
    const alices = { user: alice, ...await make(alice) };
    const made = await invite(alice.client, alices.sealed, {});
    const store = new MemoryClientStore();
    const { device } = await store.identity("Bob");
    const { identity: ghost } = await generateIdentity();
    const impostor = new Impostor(alices.room.id, deviceIdOf(device.publicKey));
    const hands: Hands = {
      heard: impostor.hears,
      people: (people) => [...people, personOf(ghost, "Ghost")],
    };
    await using users = new AsyncDisposableStack();
    await play({
      server,
      alice,
      alices,
      hands,
      impostor,
      ghost,
      async arrive(hurry = 5) {
        const place = { ...server.by(hands), clock: fastClock(hurry) };
        const member = await comeBy(place, "Bob", made, "team", store);
        users.use(member.user);
        return member;
      },
    });
  });
}
