import { assertEquals } from "@std/assert";
import { isSystemError, reasonOf } from "../cli/reason.ts";

const coded = (code: string, message: string) => Object.assign(new Error(message), { code });

const cases: readonly [error: unknown, reason: string, isSystem: boolean][] = [
  [
    coded("ECONNREFUSED", "Connection refused (os error 111)"),
    "nobody listens there. Is the server running, is the port right?",
    true,
  ],
  [
    coded("EISDIR", "Is a directory (os error 21): readfile '.env'"),
    "it is a folder, not a file.",
    true,
  ],
  [
    coded("EMFILE", "Too many open files (os error 24): open '/home/alice'"),
    "Too many open files.",
    true,
  ],
  [
    new Deno.errors.NotCapable('Requires read access to "x", run again with the --allow-read flag'),
    "this program was started without the permission for that.",
    true,
  ],
  [
    new Error("failed to lookup address information: Name or service not known"),
    "there is no host of that name. Is it spelled right?",
    false,
  ],
  [new TypeError("x is not a function"), "x is not a function.", false],
  ["a text", "a text.", false],
];

for (const [error, reason, isSystem] of cases) {
  Deno.test(`the reason of ${error} is: ${reason}`, () => {
    assertEquals(reasonOf(error), reason);
    assertEquals(isSystemError(error), isSystem);
  });
}
