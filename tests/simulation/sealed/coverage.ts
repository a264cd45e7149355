import { Coverage } from "../coverage.ts";

/** What happened how often in sealed rooms, beside what happens in all rooms. */
export class SealedCoverage extends Coverage {
  /** Invitations made, and people who set out with one. */
  invitations = 0;
  arrivals = 0;
  /** Commits in the logs: by members, by who came in by themselves, by who came back so. */
  commits = 0;
  entries = 0;
  comebacks = 0;
  /** Devices added by members, and taken out. */
  added = 0;
  takenOut = 0;
  /** Commits that no member can accept, and generations begun after the first. */
  badCommits = 0;
  generations = 0;
  /** Commits that came too late, and messages sealed in an epoch that was over. */
  staleCommits = 0;
  staleMessages = 0;
  /** Messages in the logs, and readings of them that were called for. */
  messages = 0;
  readings = 0;
  /** Messages of which nobody expects some member to read them. */
  unreadable = 0;
  /** Messages for somebody in a room of two, said when they had its keys. */
  heeded = 0;
  /** Stores lost with all keys. */
  lostStores = 0;
  /** Those who had to be let in by a moderator at the end. */
  admitted = 0;
  /** Rooms that came to rest. */
  rooms = 0;
}
