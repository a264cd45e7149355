import { MemoryStore } from "../../server/store/memory.ts";
import { ListStore } from "../fixtures/list_store.ts";
import { testStore, testTrimmingStore } from "./store_contract.ts";

testStore("MemoryStore", () => ({ store: new MemoryStore(1e9), close() {} }));
testTrimmingStore("MemoryStore", (bytesMax) => ({ store: new MemoryStore(bytesMax), close() {} }));

testStore("ListStore", () => ({ store: new ListStore(), close() {} }));
