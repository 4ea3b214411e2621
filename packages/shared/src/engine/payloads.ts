/** Loading the payloads that decisions look at, for many instances in one statement. */

import type { PayloadRow, Payloads } from "../core/model.ts";
import type { Needs } from "../core/needs.ts";
import type { Side } from "../definition/graph.ts";
import type { Executor } from "../store/executor.ts";
import { loadPayloads } from "../store/queue.ts";
import type { Json } from "../vocabulary/json.ts";

/** A row whose payload is parsed when it is first looked at, and not at all if it never is. */
const payloadRow = (text: string | null, side: Side | null): PayloadRow => {
  if (text === null) return { side };
  let parsed: Json | undefined;
  return {
    side,
    get output(): Json {
      parsed ??= JSON.parse(text) as Json;
      return parsed;
    },
  };
};

/** The payloads of one instance, while they are being gathered. */
export class InstancePayloads implements Payloads {
  readonly rows = new Map<string, PayloadRow>();
  #input: PayloadRow | undefined;

  /** The instance's input; `null` unless it was asked for. */
  get input(): Json {
    return this.#input?.output ?? null;
  }

  /** Adds a row: of a node, or of the instance's input under `null`. */
  add(node: string | null, text: string | null, side: Side | null): void {
    if (node === null) this.#input = payloadRow(text, side);
    else this.rows.set(node, payloadRow(text, side));
  }
}

/** Loads what each instance needs. Answers payloads for every instance asked for, in one statement or none. */
export const gatherPayloads = async (
  db: Executor,
  wanted: readonly { readonly instanceId: string; readonly needs: Needs }[],
): Promise<Map<string, InstancePayloads>> => {
  const gathered = new Map<string, InstancePayloads>();
  for (const { instanceId } of wanted) gathered.set(instanceId, gathered.get(instanceId) ?? new InstancePayloads());
  const refs = wanted.flatMap(({ instanceId, needs }) => [
    ...[...needs.nodes].map((node) => ({ instanceId, node })),
    ...(needs.input ? [{ instanceId, node: null }] : []),
  ]);
  for (const row of await loadPayloads(db, refs)) gathered.get(row.instanceId)?.add(row.node, row.output, row.side);
  return gathered;
};
