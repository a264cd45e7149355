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
