import { readFileSync } from "node:fs";
import { createOrchestrator } from "@floxy/orchestrator";
import { expect, test } from "vitest";
import { root } from "./markdown.ts";

/** A metric as docs/metrics.md or the registry tells of it. */
interface Told {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const byName = (a: Told, b: Told): number => (a.name < b.name ? -1 : 1);

/** Prometheus shows labels only where there is a sample, so they are read from the metric itself. */
const labelsOf = (metric: object): readonly string[] => {
  const { labelNames } = metric as { readonly labelNames?: readonly string[] };
  return [...(labelNames ?? [])].sort();
};

test("docs/metrics.md lists every metric of the orchestrator with its type and labels, and no other", async () => {
  // Nothing is connected before it starts, so any address will do.
  const orchestrator = createOrchestrator({
    connectionString: "postgres://nobody@127.0.0.1:1/none",
    http: false,
    processMetrics: false,
  });
  const { registry } = orchestrator;
  const registered = (await registry.getMetricsAsJSON()).map(({ name, type }): Told => {
    const metric = registry.getSingleMetric(name);
    return { name, type: String(type), labels: metric === undefined ? [] : labelsOf(metric) };
  });
  const page = readFileSync(`${root}docs/metrics.md`, "utf8");
  const documented = [...page.matchAll(/^\| `(floxy_\w+)` \| (\w+) \|([^|]*)\|/gm)].map(
    ([, name = "", type = "", labels = ""]): Told => ({
      name,
      type,
      labels: [...labels.matchAll(/`(\w+)`/g)].map(([, label]) => `${label}`).sort(),
    }),
  );
  expect(documented.sort(byName)).toEqual(registered.sort(byName));
  expect(registered.length).toBeGreaterThan(15);
  await orchestrator.stop();
});

test("every metric that a page names exists", () => {
  const listed = readFileSync(`${root}docs/metrics.md`, "utf8");
  const readme =
    readFileSync(`${root}README.md`, "utf8") + readFileSync(`${root}packages/orchestrator/README.md`, "utf8");
  const named = [...readme.matchAll(/`(floxy_(?:queue|inbox|dead|orchestrator)_\w+)/g)].map(([, name]) => `${name}`);
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((name) => !listed.includes(`| \`${name}\` |`) && !name.endsWith("_"))).toEqual([]);
});
