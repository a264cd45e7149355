import { deviceIdOf } from "../crypto/identity.ts";
import type { Clock } from "../protocol/clock.ts";
import { Audit } from "./moderation/audit.ts";
import { Bans } from "./moderation/bans.ts";
import { UserBudgets } from "./budgets.ts";
import { Connected } from "./door/connected.ts";
import { Gate, type Registration } from "./door/gate.ts";
import { Hub, type HubOptions } from "./hub.ts";
import { KeyPackages } from "./key_packages.ts";
import { Invitations } from "./moderation/invitations.ts";
import { People } from "./people.ts";
import type { Store } from "./store/store.ts";
import type { Staging } from "./uploads.ts";
import { Watermarks } from "./watermarks.ts";

/** How the server is, as `stats` tells it. */
export interface Health {
  readonly sinceMs: number;
  /** Connections in all, those that are logging in too. */
  connections: number;
  /** The disk is full. */
  isReadOnly: boolean;
  /** What the process takes; 0 where nobody knows. */
  readonly memoryBytes: () => number;
}

/** What the handlers of messages and commands work with. */
export interface Services {
  readonly clock: Clock;
  readonly store: Store;
  readonly hub: Hub;
  readonly people: People;
  readonly watermarks: Watermarks;
  readonly bans: Bans;
  readonly invitations: Invitations;
  readonly audit: Audit;
  readonly gate: Gate;
  readonly connected: Connected;
  readonly budgets: UserBudgets;
  readonly keyPackages: KeyPackages;
  /** What sessions hold of objects that no commit has named yet. */
  readonly staging: Staging;
  readonly health: Health;
  /** Where others find this server, as far as is known. */
  readonly address: (() => string) | undefined;
}

/** What they are made of. */
export interface ServicesOptions extends HubOptions {
  readonly usersMax: number;
  /** What counts until an admin decides. */
  readonly registration: Registration;
  readonly memoryBytes?: (() => number) | undefined;
  readonly address?: (() => string) | undefined;
}

/** Everything that the store knows, ready to work with. */
export async function openServices(options: ServicesOptions): Promise<Services> {
  const { clock, store, identity, usersMax, registration, memoryBytes = () => 0 } = options;
  const health = { sinceMs: clock.now(), connections: 0, isReadOnly: false, memoryBytes };
  const onFull = (isFull: boolean) => {
    health.isReadOnly = isFull;
    options.onFull(isFull);
  };
  const hub = await Hub.open({ ...options, onFull });
  const people = await People.open(store, usersMax);
  // Who waits for that is told by whatever else is kept then.
  people.onForgotten = (user) => void hub.forget(user, "You are forgotten here.").catch(() => {});
  const keyPackages = new KeyPackages(store);
  people.onDeviceForgotten = (device) => void keyPackages.forget(device).catch(() => {});
  return {
    clock,
    store,
    hub,
    people,
    watermarks: new Watermarks(clock, hub),
    bans: await Bans.open(store, clock),
    invitations: await Invitations.open(store, clock),
    audit: new Audit(store, clock, deviceIdOf(identity.publicKey)),
    gate: await Gate.open(store, clock, registration),
    connected: new Connected(),
    budgets: new UserBudgets(clock),
    keyPackages,
    staging: { bytes: 0 },
    health,
    address: options.address,
  };
}
