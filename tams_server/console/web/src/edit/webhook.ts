// A webhook as the server returns it.
import type { Tags } from "../ui/tags";

export interface Webhook {
  id: string;
  url: string;
  status: "created" | "started" | "disabled" | "error";
  events: string[];
  error?: { summary?: string; time?: string };
  api_key_name?: string;
  flow_ids?: string[];
  source_ids?: string[];
  flow_collected_by_ids?: string[];
  source_collected_by_ids?: string[];
  accept_get_urls?: string[];
  accept_storage_ids?: string[];
  presigned?: boolean;
  verbose_storage?: boolean;
  include_object_timerange?: boolean;
  tags?: Tags;
}
