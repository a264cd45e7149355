/**
 * The load generator: a process of its own on a core of its own, so that what it costs is neither
 * the server's nor hidden, and no measurement warms the next. `load.ts JOB`, JSON in and out.
 *
 * @module
 */

import type { Job, Outcome } from "./job.ts";
import { measureIdle } from "./loads/idle.ts";
import { measureLatency } from "./loads/latency.ts";
import { measureLogins } from "./loads/logins.ts";
import { measurePublishes } from "./loads/publishes.ts";
import { measureResume } from "./loads/resume.ts";
import { measureRooms } from "./loads/rooms.ts";
import { measureSaturated } from "./loads/saturated.ts";
import { measureUnderway } from "./loads/underway.ts";
import type { ScenarioName, Wire } from "./subject.ts";
import { findSubject } from "./subjects.ts";

const loads: Record<ScenarioName, (job: Job, wire: Wire) => Promise<Outcome>> = {
  saturated: measureSaturated,
  underway: measureUnderway,
  latency: measureLatency,
  idle: measureIdle,
  logins: measureLogins,
  publishes: measurePublishes,
  resume: measureResume,
  rooms: measureRooms,
};

const job: Job = JSON.parse(Deno.args[0] ?? "");
const subject = findSubject(job.subject, job.sealedBytes);
if (!subject) throw new Error(`No subject ${job.subject}`);

const { figures, faults } = await loads[job.scenario](job, subject.wire);
const known = Object.entries(figures).filter(([, value]) => Number.isFinite(value));
console.log(JSON.stringify({ figures: Object.fromEntries(known), faults }));
// The readers are still reading.
Deno.exit(0);
