/** What happened how often: a simulation in which nothing happens proves nothing. */
export class Coverage {
  /** The network. */
  refusals = 0;
  cuts = 0;
  freezes = 0;
  stalls = 0;
  crashes = 0;
  shutdowns = 0;
  kills = 0;
  /** Of those, with something lost that was not synced. */
  crashesUnsynced = 0;
  restores = 0;
  /** Writes refused because the disk was full, and members who were told to wait. */
  refusedFull = 0;
  delays = 0;
  /** Messages that came again while the first copy was being stored. */
  repeatedUnderWay = 0;
  /** Entries that a client had kept when its process ended, and not shown. */
  keptUnshown = 0;
  /** What members asked for and got, or did not; histories that they read. */
  acts = 0;
  actsRefused = 0;
  histories = 0;
  /** Members sent out of a room or gone, and messages given up by that or refused. */
  removals = 0;
  undelivered = 0;
  /** Payloads erased, and entries served without theirs. */
  erased = 0;
  erasedServed = 0;
  /** Reads and writes that took only a part. */
  pieces = 0;
  /** The room. */
  batches = 0;
  pages = 0;
  /** Times that the tail was full, and readers that had to leave it. */
  fullTails = 0;
  laggards = 0;
  /** Keys that a room changed to while somebody read. */
  rotations = 0;
  /** Times that publishers were not read because too much waited to be stored. */
  congestions = 0;
  /** Publishing. */
  repeated = 0;
  repeatedAfterTrim = 0;
  slowDowns = 0;
  /** Clients. */
  reconnects = 0;
  resets = 0;
  trimmed = 0;
  entriesShown = 0;
  answers = 0;
  /** Sessions that the server ended, or that ended by themselves, by why. */
  silent = 0;
  shuttingDown = 0;
  readOnly = 0;
  tooManyConnections = 0;
  endedInFrame = 0;
  /** Members that were done while others were stuck. */
  doneBesideStuck = 0;
  classicPrompts = 0;

  /** Adds what happened elsewhere. */
  add(other: Coverage): void {
    for (const key of Object.keys(this) as (keyof Omit<Coverage, "add">)[]) this[key] += other[key];
  }
}
