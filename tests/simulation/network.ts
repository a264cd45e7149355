/**
 * The network between members and the server: dials that fail, bytes that take their time and come in
 * pieces, readers that stop, connections that break or fall silent.
 *
 * @module
 */

import { classicPrompt } from "../../protocol/classic.ts";
import type { Link } from "../../protocol/link.ts";
import { BrokenLink, type PipeRules, Wire } from "../fixtures/memory_link.ts";
import type { Coverage } from "./coverage.ts";
import type { NetworkPlan } from "./plan.ts";
import type { Random } from "./random.ts";
import { Stream, type World } from "./world.ts";

/** One connection of a member. */
interface Connection {
  readonly wire: Wire;
  readonly member: string;
}

/** MUST carry bytes in order; MUST NOT tell one side what only the other can know. */
export class Network {
  readonly #world: World;
  readonly #plan: NetworkPlan;
  readonly #random: Random;
  readonly #coverage: Coverage;
  #connections: Connection[] = [];
  readonly #stalled = new Set<string>();
  readonly #refused = new Set<string>();
  /** Takes connections; undefined while nobody listens. */
  serve: ((link: Link) => void) | undefined;
  /** Whether things go wrong by chance. */
  isCalm = false;
  #ports = 40_000;

  constructor(world: World, plan: NetworkPlan, coverage: Coverage) {
    this.#world = world;
    this.#plan = plan;
    this.#random = world.random(Stream.network);
    this.#coverage = coverage;
  }

  /** Connections that not both ends have closed. */
  get open(): number {
    this.#forgetClosed();
    return this.#connections.length;
  }

  /**
   * Connects a member to the server.
   *
   * @throws {BrokenLink} when nobody listens, or chance is against it
   */
  async dial(member: string): Promise<Link> {
    await this.#world.pause(this.#latencyMs());
    const isUnlucky = !this.isCalm && this.#random.chance(this.#plan.refusals);
    if (!this.serve || isUnlucky || this.#refused.has(member)) {
      this.#coverage.refusals++;
      throw new BrokenLink("the connection was refused");
    }
    const slow = this.#plan.slow.find((reader) => reader.member === member);
    const inward = { ...this.#rules(), ...(slow && { capacityBytes: slow.capacityBytes }) };
    const wire = new Wire(`127.0.0.1:${++this.#ports}`, this.#rules(), inward);
    this.#forgetClosed();
    this.#connections.push({ wire, member });
    if (this.#stalled.has(member)) wire.inward.hold();
    this.serve(this.#closing(wire.far, (keepBytes) => wire.closeFar(keepBytes)));
    const near = slow ? this.#pausing(wire.near, slow.pauseMs) : wire.near;
    return this.#closing(near, (keepBytes) => wire.closeNear(keepBytes));
  }

  /** Breaks a member's connections; each side learns of it when it likes. */
  cut(member: string): void {
    for (const { wire } of this.#of(member)) {
      this.#world.note(member, () => "its connection is cut");
      this.#coverage.cuts++;
      const keep = (bytes: number) => this.#random.int(0, bytes);
      const cutOutward = () => wire.outward.cut(keep(wire.outward.bytes));
      const cutInward = () => wire.inward.cut(keep(wire.inward.bytes));
      const [first, second] = this.#random.chance(0.5)
        ? [cutOutward, cutInward]
        : [cutInward, cutOutward];
      first();
      this.#world.after(this.#random.chance(0.5) ? 0 : this.#random.scale(1, 5_000), second);
    }
  }

  /** A member's connections carry nothing any more, and nobody is told. */
  freeze(member: string): void {
    for (const { wire } of this.#of(member)) {
      this.#world.note(member, () => "its connection falls silent");
      this.#coverage.freezes++;
      wire.inward.silence();
      wire.outward.silence();
    }
  }

  /** A member reads nothing until {@link resume}. */
  stall(member: string): void {
    this.#world.note(member, () => "reads nothing any more");
    this.#stalled.add(member);
    for (const { wire } of this.#of(member)) wire.inward.hold();
  }

  resume(member: string): void {
    if (!this.#stalled.delete(member)) return;
    this.#world.note(member, () => "reads again");
    for (const { wire } of this.#of(member)) wire.inward.release();
  }

  /** A member's dials fail until {@link admit}. */
  refuse(member: string): void {
    this.#refused.add(member);
  }

  admit(member: string): void {
    this.#refused.delete(member);
  }

  /** The server's process is gone: the kernel sends what it had taken, or some of it. */
  killServer(): void {
    for (const { wire } of this.#connections) {
      wire.closeFar(this.#random.chance(0.5) ? Infinity : this.#random.int(0, wire.inward.bytes));
    }
  }

  /** A member's process is gone. */
  killMember(member: string): void {
    for (const { wire } of this.#of(member)) wire.closeNear(this.#kept(wire.outward.bytes));
  }

  #of(member: string): Connection[] {
    this.#forgetClosed();
    return this.#connections.filter((connection) => connection.member === member);
  }

  #forgetClosed(): void {
    this.#connections = this.#connections.filter(({ wire }) => !wire.isClosed);
  }

  /** Closing may lose what is under way: TCP resets a connection with bytes unread. */
  #closing(link: Link, close: (keepBytes: number) => void): Link {
    const write = (bytes: Uint8Array) => {
      if (bytes.length === classicPrompt.length && bytes[0] === 69) this.#coverage.classicPrompts++;
      return link.write(bytes);
    };
    return { ...link, write, close: () => close(this.isCalm ? Infinity : this.#kept(64 * 1024)) };
  }

  /** A link whose reader takes its time before each read. */
  #pausing(link: Link, pauseMs: number): Link {
    const read = async (into: Uint8Array) => {
      if (!this.isCalm) await this.#world.pause(this.#random.scale(pauseMs / 10, pauseMs));
      return await link.read(into);
    };
    return { ...link, read };
  }

  #kept(bytes: number): number {
    return this.#random.chance(0.7) ? Infinity : this.#random.int(0, bytes);
  }

  #rules(): PipeRules {
    const { capacityBytes, pieceBytesMax } = this.#plan;
    return {
      capacityBytes,
      share: (max) => {
        if (pieceBytesMax === undefined || this.#random.chance(0.7)) return max;
        const count = this.#random.int(1, Math.min(max, pieceBytesMax));
        if (count < max) this.#coverage.pieces++;
        return count;
      },
      complete: (act) => this.#world.after(this.#random.scale(0.01, 0.5), act),
      arrive: (act) => this.#world.after(this.#latencyMs(), act),
      onMisuse: (what) => this.#world.fail(`A link saw ${what}`),
    };
  }

  #latencyMs(): number {
    return this.#plan.latencyMs * this.#random.scale(0.5, 2);
  }
}
