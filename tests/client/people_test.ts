import { assertEquals } from "@std/assert";
import { People } from "../../client/sealed/people.ts";
import { forgetful, type KeptPerson, type Profile } from "../../client/store/store.ts";
import { numbered } from "../fixtures/bytes.ts";

const [first, second, third] = [numbered(32, 1), numbered(32, 2), numbered(32, 3)] as const;

/** A profile that keeps people only. */
function keeping(): Profile {
  const kept = new Map<string, KeptPerson>();
  return {
    ...forgetful,
    people: () => [...kept.values()],
    keepPerson: (person) => void kept.set(person.name, person),
  };
}

Deno.test("a key that comes for a name that has another is doubted, whatever comes after it", () => {
  const told: string[] = [];
  const people = new People(keeping(), (name) => told.push(name));
  for (const key of [first, second, second, third]) people.meet("Alice", key);
  assertEquals(told, ["Alice", "Alice"]);
  people.meet("Zed", second); // As if it had never been Alice's.
  const doubts = [first, second, third].map((key) => people.isDoubtful(key));
  assertEquals(doubts, [false, true, true]);
  people.accept("Alice");
  assertEquals([second, third].map((key) => people.isDoubtful(key)), [true, false]);
});

Deno.test("what is doubted is doubted by the next process too, until it is accepted", () => {
  const profile = keeping();
  const people = () => new People(profile, () => {});
  people().meet("Alice", first);
  people().meet("alice", second);
  assertEquals(people().isDoubtful(second), true);
  assertEquals(people().nameOf(second), "Alice");
  people().accept("Alice");
  assertEquals([people().isDoubtful(second), people().isDoubtful(first)], [false, false]);
});
