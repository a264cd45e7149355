/**
 * Publishers publish as fast as the server takes it; readers count.
 *
 * @module
 */

import { Audience } from "../audience.ts";
import type { Job, Outcome } from "../job.ts";
import { Numbers, orderFaults } from "../message.ts";
import type { Publisher, Wire } from "../subject.ts";
import { watch } from "../window.ts";

/** Messages that a publisher sends in one write. */
const batchMessages = 256;

/** More than any server here takes from its publishers. */
const messagesPerSecondMax = 150_000;

export async function measureSaturated(job: Job, wire: Wire): Promise<Outcome> {
  const audience = await Audience.gather(job, wire);
  audience.count();
  const publishers = await audience.publishers(job, wire);
  const expected = Math.ceil(job.seconds + 1) * messagesPerSecondMax;
  for (const publisher of publishers) await publisher.prepare?.(expected);
  await audience.quiet();

  const flow = new Flow(audience, wire, job.readers);
  publishers.forEach((publisher, i) => saturate(publisher, new Numbers(i, job.publishers), flow));
  const window = await watch(job, audience, () => audience.bytes);
  flow.stop();

  const checked = await audience.check();
  const deliveryBytes = wire.deliveryBytes ?? checked.bytes / checked.ids.length;
  return {
    figures: {
      deliveriesPerSecond: window.counted / deliveryBytes / window.seconds,
      deliveryBytes,
      ...window.cpu,
    },
    faults: [
      ...audience.faults(),
      ...window.counted === 0 ? ["nothing was delivered"] : [],
      ...checked.faults,
      ...orderFaults(checked.ids, job.publishers),
    ],
  };
}

async function saturate(publisher: Publisher, numbers: Numbers, flow: Flow): Promise<void> {
  while (await flow.mayPublish()) await publisher.publish(numbers.take(flow.take()));
}

/** Keeps publishers at most a window ahead of the readers. */
class Flow {
  readonly #audience: Audience;
  readonly #windowMessages: number;
  readonly #bytesEach: number;
  readonly #batch: number;
  #published = 0;
  #stopped = false;
  #waiting: (() => void)[] = [];

  constructor(audience: Audience, { windowMessages, deliveryBytes }: Wire, readers: number) {
    this.#audience = audience;
    this.#windowMessages = windowMessages;
    this.#bytesEach = (deliveryBytes ?? Infinity) * readers;
    this.#batch = Math.min(batchMessages, Math.ceil(windowMessages / 8));
    audience.onBytes = () => this.#wake();
  }

  /** Waits for a place in the window; false when the run is over. */
  async mayPublish(): Promise<boolean> {
    while (!this.#stopped && !this.#hasRoom()) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    return !this.#stopped;
  }

  /** Takes places in the window, and says how many. */
  take(): number {
    this.#published += this.#batch;
    return this.#batch;
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }

  #hasRoom(): boolean {
    const delivered = this.#audience.bytes / this.#bytesEach;
    return this.#published + this.#batch - delivered <= this.#windowMessages;
  }

  #wake(): void {
    if (this.#waiting.length === 0 || !this.#stopped && !this.#hasRoom()) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
