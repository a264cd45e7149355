/**
 * Fields that JSON messages have in common.
 *
 * @module
 */

import { z } from "zod";
import { fromBase64Url, toBase64Url } from "./bytes.ts";
import { base64UrlCharsMax, idBytes } from "./limits.ts";

/** A field of bytes: base64url in JSON, of so many bytes where that is fixed. */
export function base64UrlBytes(
  length?: number,
): z.ZodCodec<z.ZodString, z.ZodCustom<Uint8Array, Uint8Array>> {
  return z.codec(
    z.string().max(length === undefined ? base64UrlCharsMax : Math.ceil(length * 4 / 3)),
    z.custom<Uint8Array>((value) => value instanceof Uint8Array),
    {
      decode(text, context) {
        try {
          const value = fromBase64Url(text);
          if (length === undefined || value.length === length) return value;
        } catch {
          // Falls through: whatever is wrong with it, it is not base64url of this length.
        }
        context.issues.push({ code: "custom", message: "not base64url", input: text });
        return z.NEVER;
      },
      encode: toBase64Url,
    },
  );
}

/** A field of so many bytes at most. */
export function base64UrlBytesUpTo(bytesMax: number): ReturnType<typeof base64UrlBytes> {
  const charsMax = Math.ceil(bytesMax * 4 / 3);
  return base64UrlBytes().refine(({ length }) => length <= bytesMax, {
    error: `more than ${bytesMax} bytes (${charsMax} characters)`,
  });
}

/** A room, a user, a device or a message. */
export const id = base64UrlBytes(idBytes);
/** Of a user or a room; what is shown is made visible first. */
export const name = z.string().min(1).max(128);
