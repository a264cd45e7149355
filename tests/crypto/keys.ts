import type { DhKeyPair } from "../../crypto/noise.ts";

/** PKCS #8 around an X25519 secret (RFC 8410, section 7). */
const pkcs8Prefix = Uint8Array.fromHex("302e020100300506032b656e04220420");

/** The X25519 key pair that grows from a secret. */
export async function dhKeyPair(secret: Uint8Array): Promise<DhKeyPair> {
  const pkcs8 = new Uint8Array([...pkcs8Prefix, ...secret]);
  const key = await crypto.subtle.importKey("pkcs8", pkcs8, "X25519", true, ["deriveBits"]);
  const { x } = await crypto.subtle.exportKey("jwk", key);
  return { publicKey: Uint8Array.fromBase64(x!, { alphabet: "base64url" }), privateKey: key };
}
