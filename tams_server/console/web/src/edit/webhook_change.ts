// What a webhook is changed from.
import { getIfChanged, resourcePath } from "../api";
import type { Webhook } from "./webhook";

/** The document of a webhook as a PUT takes it, but for its status, and the ETag that the change is based on. */
export async function getForChange(id: string): Promise<{ document: Omit<Webhook, "status" | "error">; etag: string | undefined }> {
  const found = await getIfChanged<Webhook>(resourcePath("service", "webhooks", id));
  if (!found) throw new Error("the webhook cannot be read");
  const { status: _status, error: _error, ...document } = found.data;
  return { document, etag: found.etag };
}
