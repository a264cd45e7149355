/**
 * Messages at a steady rate; how long each took to each reader, from just before the publisher's
 * write to just after the reader's read.
 *
 * A generator that is busy reading also sends late, which hides waiting time: `lateP99Ms` says how
 * late, so that a figure can be judged.
 *
 * @module
 */

import { Audience } from "../audience.ts";
import type { Job, Outcome } from "../job.ts";
import { Numbers, orderFaults } from "../message.ts";
import { percentile, Series } from "../statistics.ts";
import type { Checked, Publisher, Wire } from "../subject.ts";
import { watch, type Window } from "../window.ts";

/** Nothing is under way any more when nothing has arrived for so long. */
const drainedMs = 1000;

export async function measureLatency(job: Job, wire: Wire): Promise<Outcome> {
  const audience = await Audience.gather(job, wire);
  const arrivals = new Arrivals();
  audience.follow((key) => arrivals.add(key));
  const publishers = await audience.publishers(job, wire);
  await audience.quiet();

  const sending = new Sending(publishers, job.perSecond);
  const window = await watch(job, audience, () => arrivals.length);
  sending.stop();
  await audience.quiet(drainedMs);

  const checked = await audience.check();
  const { latencies, messages } = arrivals.judge(checked, sending.sentAt, window);
  const missing = sending.count * job.readers - messages;
  return {
    figures: {
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
      maxMs: percentile(latencies, 1),
      lateP99Ms: percentile(sending.late.sorted(), 0.99),
      ...window.cpu,
    },
    faults: [
      ...audience.faults(),
      ...missing === 0 ? [] : [`${missing} deliveries missing`],
      ...checked.faults,
      ...orderFaults(checked.ids, job.publishers),
    ],
  };
}

/** Publishes at a steady rate, each publisher in its turn. */
class Sending {
  /** When each message was sent, by its number. */
  readonly sentAt: number[] = [];
  /** By how much each was sent too late. */
  readonly late = new Series();
  count = 0;

  readonly #publishers: { publisher: Publisher; numbers: Numbers }[];
  readonly #everyMs: number;
  readonly #startedAt = performance.now();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(publishers: Publisher[], perSecond: number) {
    this.#publishers = publishers.map((publisher, i) => ({
      publisher,
      numbers: new Numbers(i, publishers.length),
    }));
    this.#everyMs = 1000 / perSecond;
    this.#sendDue();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #sendDue(): void {
    for (let due = this.#due(); due <= performance.now(); due = this.#due()) this.#send(due);
    this.#timer = setTimeout(() => this.#sendDue(), this.#due() - performance.now());
  }

  #due(): number {
    return this.#startedAt + this.count * this.#everyMs;
  }

  #send(due: number): void {
    const next = this.#publishers[this.count++ % this.#publishers.length];
    if (!next) throw new Error("There are no publishers");
    const ids = next.numbers.take(1);
    const now = performance.now();
    for (const id of ids) this.sentAt[id] = now;
    this.late.push(now - due);
    next.publisher.publish(ids);
  }
}

/** When which delivery arrived, at any reader. */
class Arrivals {
  readonly #keys = new Series();
  readonly #times = new Series();

  get length(): number {
    return this.#keys.length;
  }

  add(key: number): void {
    this.#keys.push(key);
    this.#times.push(performance.now());
  }

  /** How long the messages sent in `window` took, sorted, and how many arrived at all. */
  judge(checked: Checked, sentAt: readonly number[], window: Window) {
    const idsOf = Map.groupBy(checked.ids, (_, i) => checked.keys[i]);
    const latencies = new Series();
    let messages = 0;
    for (let i = 0; i < this.length; i++) {
      for (const id of idsOf.get(this.#keys.at(i)) ?? []) {
        messages++;
        const sent = sentAt[id] ?? NaN;
        if (sent >= window.from && sent < window.to) latencies.push(this.#times.at(i) - sent);
      }
    }
    return { latencies: latencies.sorted(), messages };
  }
}
