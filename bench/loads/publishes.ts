/**
 * Publishers publish as fast as the server takes it; what they get back is acknowledged.
 *
 * @module
 */

import type { Job, Outcome } from "../job.ts";
import type { Wire } from "../subject.ts";
import { measureSaturated } from "./saturated.ts";

/** What our client has under way at most. */
const aheadEach = 256;
/** About what one takes in a reader's stream: more would only be a little more ahead. */
const deliveryBytes = 236;

export async function measurePublishes(job: Job, wire: Wire): Promise<Outcome> {
  const windowMessages = aheadEach * job.publishers;
  const { figures, faults } = await measureSaturated(job, {
    ...wire,
    windowMessages,
    deliveryBytes,
  });
  const { deliveriesPerSecond = NaN } = figures;
  return {
    figures: { ...figures, publishesPerSecond: deliveriesPerSecond / job.readers },
    faults,
  };
}
