/** One thing that `doctor` looked at. */
export interface Finding {
  readonly what: string;
  /** What to do; where it is there, something is not well. */
  readonly todo?: string;
}
