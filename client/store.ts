import type { Identity } from "../crypto/identity.ts";

/** What a client must not lose. */
export interface ClientStore {
  /** The identity that goes with a name; made and kept when the name is new. */
  identity(name: string): Promise<Identity>;
  /** The fingerprint that a server had when it was first met. */
  pin(server: string): Promise<string | undefined>;
  /** Remembers a server's fingerprint, unless there is one already: whether it did. */
  savePin(server: string, fingerprint: string): Promise<boolean>;
  /** Forgets a server's fingerprint: the next one met is the right one. */
  forgetPin(server: string): Promise<void>;
}
