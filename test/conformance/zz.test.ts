import { inject, it } from "vitest";
import { openClockedPostgres } from "./clocked-postgres.ts";
import { makeRun } from "./run.ts";

it("counts", { timeout: 500_000 }, async () => {
  const postgres = await openClockedPostgres(inject("databaseUrl"));
  const counts = new Map<string, number>();
  const add = (k: string) => counts.set(k, (counts.get(k) ?? 0) + 1);
  for (let seed = 1000; seed < 1000 + Number(process.env.N); seed++) {
    await makeRun(postgres, seed).catch((error) => {
      console.log("SEED", seed, String(error.message));
      throw error;
    });
    const rows = await postgres.rows();
    for (const e of rows.event ?? []) add(`event ${e.type}`);
    for (const i of rows.instance ?? []) {
      add(`instance ${i.status}`);
      if (Number(i.run) > 0) add("run>0");
    }
    for (const i of rows.step ?? []) add(`step ${i.status} ${i.outcome}`);
    for (const i of rows.queue ?? []) add(`queue ${i.state} ${i.lane} ${i.epoch === -1 ? "disowned" : ""}`);
    for (const i of rows.audit ?? []) add(`audit ${i.act}`);
    for (const i of rows.dead_letter ?? []) add(`dead ${i.kind}`);
    for (const i of rows.inbox ?? []) add(`inbox ${i.attempt}`);
  }
  console.log(
    [...counts]
      .sort()
      .map(([k, v]) => `${k}: ${v}`)
      .join("\n"),
  );
  await postgres.close();
});
