/**
 * One message under way: the next is published when all readers have got the one before.
 *
 * @module
 */

import { Audience } from "../audience.ts";
import type { Job, Outcome } from "../job.ts";
import { Numbers, orderFaults } from "../message.ts";
import type { Wire } from "../subject.ts";
import { watch } from "../window.ts";

/** How long a message may take to all before it counts as lost. */
const lostAfterMs = 10_000;

export async function measureUnderway(job: Job, wire: Wire): Promise<Outcome> {
  const audience = await Audience.gather(job, wire);
  let delivered = 0;
  let wanted = Infinity;
  let allHaveIt = () => {};
  audience.follow(() => {
    if (++delivered === wanted) allHaveIt();
  });
  const [publisher] = await audience.publishers(job, wire);
  if (!publisher) throw new Error("One message under way needs one publisher");
  await audience.quiet();
  delivered = 0;

  let stopped = false;
  const numbers = new Numbers(0, 1);
  const rounds = async () => {
    while (!stopped) {
      const done = new Promise<void>((resolve) => allHaveIt = resolve);
      wanted = delivered + job.readers;
      await publisher.publish(numbers.take(1));
      await done;
    }
  };
  const ended = rounds();
  const window = await watch(job, audience, () => delivered);
  stopped = true;
  const lost = await endsWithin(ended, lostAfterMs) ? [] : [`lost: ${delivered} of ${wanted}`];

  const checked = await audience.check();
  return {
    figures: {
      deliveriesPerSecond: window.counted / window.seconds,
      deliveryBytes: wire.deliveryBytes ?? checked.bytes / checked.ids.length,
      ...window.cpu,
    },
    faults: [...audience.faults(), ...lost, ...checked.faults, ...orderFaults(checked.ids, 1)],
  };
}

async function endsWithin(ended: Promise<void>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<boolean>((resolve) => timer = setTimeout(resolve, ms, false));
  const inTime = await Promise.race([ended.then(() => true), late]);
  clearTimeout(timer);
  return inTime;
}
