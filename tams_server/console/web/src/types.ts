// The documents of the API, as far as the console reads them.
import type { Tags } from "./ui/tags";

export interface CollectionItem {
  id: string;
  role: string;
}

interface Common {
  id: string;
  label?: string;
  description?: string;
  tags?: Tags;
  format: string;
  created?: string;
  created_by?: string;
  updated_by?: string;
}

export interface Source extends Common {
  updated?: string;
  source_collection?: CollectionItem[];
  collected_by?: string[];
}

export interface Flow extends Common {
  source_id: string;
  metadata_updated?: string;
  segments_updated?: string;
  metadata_version?: string;
  generation?: number;
  read_only?: boolean;
  status?: string;
  codec?: string;
  container?: string;
  avg_bit_rate?: number;
  max_bit_rate?: number;
  timerange?: string;
  segment_duration?: { numerator: number; denominator?: number };
  essence_parameters?: Record<string, unknown>;
  flow_collection?: (CollectionItem & { container_mapping?: unknown })[];
  collected_by?: string[];
}

export interface Service {
  name?: string;
  description?: string;
  type: string;
  api_version: string;
  service_version?: string;
  media_store?: { type: string };
  event_stream_mechanisms?: { name: string }[];
}

export interface StorageBackend {
  id: string;
  label?: string;
  provider: string;
  store_product: string;
  store_type: string;
  region: string;
  default_storage?: boolean;
}
