/**
 * Reading from many sockets at once, as cheaply as this machine can.
 *
 * A read by Deno costs the load generator 7 to 13 us, twice as much as the server's write: with one
 * message under way to 1000 readers all that would be measured is the generator. So on Linux the
 * sockets, once they are logged in, are read by epoll_wait(2) and recv(2) through FFI, in a loop that
 * never sleeps; what it spent on finding nothing is known as idle time.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { type Reading, readLoop } from "./socket.ts";

/** Sockets that are read. */
export interface Reads {
  /** Begins to read `conn`. `ended` is called when the peer has closed. */
  add(conn: Deno.Conn, reading: Reading, ended: () => void): void;

  /** Milliseconds without anything to read; undefined where that cannot be known. */
  idleMs(): number | undefined;
}

/** The cheapest way there is. */
export function openReads(): Reads {
  return Deno.build.os === "linux" ? new SystemReads() : new DenoReads();
}

/** Reads as Deno does it. */
class DenoReads implements Reads {
  add(conn: Deno.Conn, reading: Reading, ended: () => void): void {
    readLoop(conn, reading, ended);
  }

  idleMs(): undefined {}
}

interface Socket {
  readonly reading: Reading;
  readonly ended: () => void;
}

/** Few, so that publishers get their turn between. */
const eventsPerTurn = 64;

/** Empty turns in a row from which the time of one is learnt. */
const turnsTimed = 500;

/** Reads by system calls. */
class SystemReads implements Reads {
  readonly #libc = openLibc();
  readonly #epoll = this.#libc.epoll_create1(0);
  readonly #events = new Events(eventsPerTurn);
  readonly #sockets = new Map<number, Socket>();
  #descriptors = new Map<number, number>();

  #emptyTurns = 0;
  #emptyInARow = 0;
  #rowStartedAt = 0;
  #emptyTurnMs = Infinity;

  add(conn: Deno.Conn, reading: Reading, ended: () => void): void {
    const descriptor = this.#descriptor(conn);
    if (this.#sockets.size === 0) setImmediate(this.#turn);
    this.#sockets.set(descriptor, { reading, ended });
    this.#libc.epoll_ctl(this.#epoll, epoll.add, descriptor, Events.readable(descriptor));
  }

  idleMs(): number {
    return this.#emptyTurnMs === Infinity ? 0 : this.#emptyTurns * this.#emptyTurnMs;
  }

  readonly #turn = (): void => {
    const count = this.#libc.epoll_wait(this.#epoll, this.#events.bytes, eventsPerTurn, 0);
    for (let i = 0; i < count; i++) this.#read(this.#events.descriptor(i));
    if (count === 0) this.#countEmpty();
    else this.#emptyInARow = 0;
    setImmediate(this.#turn);
  };

  #read(descriptor: number): void {
    const socket = this.#sockets.get(descriptor);
    if (!socket) return;
    const into = socket.reading.into();
    const count = Number(this.#libc.recv(descriptor, into, BigInt(into.length), 0));
    if (count > 0) return socket.reading.got(count);
    this.#libc.epoll_ctl(this.#epoll, epoll.remove, descriptor, Events.readable(descriptor));
    this.#sockets.delete(descriptor);
    socket.ended();
  }

  #countEmpty(): void {
    this.#emptyTurns++;
    if (this.#emptyInARow++ === 0) this.#rowStartedAt = performance.now();
    if (this.#emptyInARow <= turnsTimed) return;
    const turnMs = (performance.now() - this.#rowStartedAt) / turnsTimed;
    this.#emptyTurnMs = Math.min(this.#emptyTurnMs, turnMs);
    this.#emptyInARow = 0;
  }

  /** The descriptor of a connection: the one whose socket has its local port. */
  #descriptor(conn: Deno.Conn): number {
    const { port } = conn.localAddr as Deno.NetAddr;
    if (!this.#descriptors.has(port)) this.#descriptors = this.#listDescriptors();
    const descriptor = this.#descriptors.get(port);
    if (descriptor === undefined) throw new Error(`No socket has the port ${port}`);
    return descriptor;
  }

  #listDescriptors(): Map<number, number> {
    const descriptors = new Map<number, number>();
    const address = new Uint8Array(addressBytes);
    const length = new Uint8Array(4);
    for (let descriptor = 0; descriptor < descriptorsMax; descriptor++) {
      length[0] = addressBytes;
      if (this.#libc.getsockname(descriptor, address, length) !== 0) continue;
      const view = new DataView(address.buffer);
      const isInternet = new Uint16Array(address.buffer)[0] === 2;
      if (isInternet) descriptors.set(view.getUint16(2), descriptor);
    }
    return descriptors;
  }
}

const addressBytes = 128;
const descriptorsMax = 65_536;
const epoll = { add: 1, remove: 2, readable: 1 };

/** `struct epoll_event`, several of them: packed on x86-64 only. */
class Events {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  constructor(count: number) {
    this.bytes = new Uint8Array(count * Events.#size);
    this.#view = new DataView(this.bytes.buffer);
  }

  static #size = Deno.build.arch === "x86_64" ? 12 : 16;

  /** The event that is waited for on a descriptor. */
  static readable(descriptor: number): Uint8Array<ArrayBuffer> {
    const one = new Events(1);
    one.#view.setUint32(0, epoll.readable, true);
    one.#view.setInt32(Events.#size - 8, descriptor, true);
    return one.bytes;
  }

  descriptor(index: number): number {
    return this.#view.getInt32((index + 1) * Events.#size - 8, true);
  }
}

function openLibc() {
  return Deno.dlopen("libc.so.6", {
    epoll_create1: { parameters: ["i32"], result: "i32" },
    epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
    epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
    getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
    recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "isize" },
  }).symbols;
}
