import { assertEquals } from "@std/assert";
import { Authors } from "../../client/room_log.ts";
import { CutShort } from "../../protocol/errors.ts";
import type { Person } from "../../protocol/message.ts";

const deviceId = new Uint8Array(16).fill(1);
const person: Person = { deviceId, userId: new Uint8Array(16).fill(2), name: "Alice" };

Deno.test("an author who is being asked about is waited for, and asked about once", async () => {
  const answer = Promise.withResolvers<Person[]>();
  let asked = 0;
  const authors = new Authors(() => {
    asked++;
    return answer.promise;
  });
  const nameOf = async () => (await authors.of([deviceId]))(deviceId)?.person.name;
  const names = Promise.all([nameOf(), nameOf()]);
  await Promise.resolve();
  answer.resolve([person]);
  assertEquals(await names, ["Alice", "Alice"]);
  assertEquals((await authors.of([deviceId]))(deviceId)?.person.name, "Alice");
  assertEquals(asked, 1);
});

Deno.test("an author who could not be asked about is asked about again", async () => {
  let asked = 0;
  const authors = new Authors(() =>
    asked++ === 0
      ? Promise.reject(new CutShort("The connection ended."))
      : Promise.resolve([person])
  );
  await authors.of([deviceId]).catch(() => {});
  assertEquals((await authors.of([deviceId]))(deviceId)?.person.name, "Alice");
});
