/**
 * Who may connect at all: bounds on connections in all, from one address before login, of one user
 * after, and on handshakes under way. Overload refuses newcomers and keeps those who are in.
 *
 * @module
 */

import type { Clock } from "../../protocol/clock.ts";
import { ProtocolError } from "../../protocol/errors.ts";

/** The bounds, from the configuration. */
export interface AdmissionLimits {
  readonly connectionsMax: number;
  readonly handshakesMax: number;
  readonly addressConnectionsMax: number;
}

/** One connection that has not logged in yet. */
export interface Candidate {
  /** Bytes came from it: it is not one of those who only hold a place. */
  spoke(): void;
  /** It has logged in, or has ended. Safe to call twice. */
  passed(): void;
}

interface Waiting {
  readonly sinceMs: number;
  hasSpoken: boolean;
  readonly evict: () => void;
}

/** How long a connection that has said something may keep its place while others want it. */
const undisturbedMs = 1_000;

/** MUST be told of every end, or places leak. */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #clock: Clock;
  #connections = 0;
  /** In order of arrival. */
  readonly #waiting = new Set<Waiting>();
  readonly #byAddress = new Map<string, number>();

  constructor(limits: AdmissionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  /** Connections in all. */
  get connections(): number {
    return this.#connections;
  }

  /**
   * Lets a connection try to log in. When all places are taken, the one that has waited longest goes:
   * of those who have said nothing (a client of ours speaks at once), else of all who had their time.
   *
   * @param evict ends the connection, so that it makes room
   * @throws {ProtocolError} server_full, too_many_connections
   */
  enter(remote: string, evict: () => void): Candidate {
    if (this.#connections > this.#limits.connectionsMax) throw new ProtocolError("server_full");
    const address = addressGroup(remote);
    const fromThere = this.#byAddress.get(address) ?? 0;
    if (fromThere >= this.#limits.addressConnectionsMax && !isLoopback(remote)) {
      throw new ProtocolError("too_many_connections");
    }
    if (this.#waiting.size >= this.#limits.handshakesMax) this.#evictOldest();
    const waiting = { sinceMs: this.#clock.now(), hasSpoken: false, evict };
    this.#waiting.add(waiting);
    this.#byAddress.set(address, fromThere + 1);
    let isPassed = false;
    return {
      spoke: () => waiting.hasSpoken = true,
      passed: () => {
        if (isPassed) return;
        isPassed = true;
        this.#waiting.delete(waiting);
        this.#countDown(address);
      },
    };
  }

  /** Counts a connection before it enters; the returned function ends that. */
  count(): () => void {
    this.#connections++;
    return () => void this.#connections--;
  }

  #countDown(address: string): void {
    const left = this.#byAddress.get(address)! - 1;
    if (left > 0) this.#byAddress.set(address, left);
    else this.#byAddress.delete(address);
  }

  #evictOldest(): void {
    const [oldest] = this.#waiting;
    const silent = this.#waiting.values().find(({ hasSpoken }) => !hasSpoken);
    const hadItsTime = oldest && this.#clock.now() - oldest.sinceMs >= undisturbedMs;
    const goes = silent ?? (hadItsTime ? oldest : undefined);
    if (!goes) {
      throw new ProtocolError("server_full", "Too many logins at once. Try again in a moment.", {
        retryAfterMs: undisturbedMs,
      });
    }
    this.#waiting.delete(goes); // Before its end: until then nobody else is evicted for it.
    goes.evict();
  }
}

/** Whether a remote address, `host:port`, is this machine. */
export function isLoopback(remote: string): boolean {
  const host = hostOf(remote);
  return host === "::1" || /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(host);
}

/** Addresses that count as one: an IPv4 address, an IPv6 /64. */
export function addressGroup(remote: string): string {
  const host = hostOf(remote).replace(/^::ffff:(?=\d+\.)/, "");
  if (!host.includes(":")) return host;
  const [head = "", tail] = host.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail ? tail.split(":") : [];
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill("0"), ...right];
  return groups.slice(0, 4).join(":") + "::/64";
}

function hostOf(remote: string): string {
  return remote.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
}
