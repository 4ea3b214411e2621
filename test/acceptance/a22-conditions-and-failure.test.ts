import { greaterThan, workflow } from "@floxy/worker-sdk";
import { expect, test } from "vitest";
import type { Cluster } from "../support/cluster.ts";
import { startCluster, statusesOf } from "../support/cluster.ts";
import { failing, Recorder } from "../support/recorder.ts";

interface Order {
  readonly amount: number;
}

const pass = (order: Order): Order => order;

/** A condition with two steps on each side; the second of either fails. */
const inSequence = (calls: Recorder) => {
  const prepare = calls.step("prepare", { run: pass, undo: true });
  const review = calls.step("review", { run: pass, undo: true });
  const approve = calls.step("approve", { run: failing("not approved"), undo: true });
  const accept = calls.step("accept", { run: pass, undo: true });
  const file = calls.step("file", { run: failing("no cabinet"), undo: true });
  const after = calls.step("after", { undo: true });
  const definition = workflow<Order>({ name: "failing-sides", version: 1 })
    .step(prepare)
    .condition("is-large", {
      when: ({ value }) => greaterThan(value.amount, 100),
      then: (side) => side.step(review).step(approve),
      else: (side) => side.step(accept).step(file),
    })
    .step(after)
    .build();
  return { definition, services: { large: [review, approve], small: [accept, file], common: [prepare, after] } };
};

/** A fork whose branches are such conditions; both fail, or only the left. */
const inBranches = (calls: Recorder, rightFails: boolean) => {
  const start = calls.step("start", { run: pass, undo: true });
  const left = {
    then: calls.step("left-then", { run: pass, undo: true }),
    thenEnd: calls.step("left-then-end", { run: failing("left then"), undo: true }),
    else: calls.step("left-else", { run: pass, undo: true }),
    elseEnd: calls.step("left-else-end", { run: failing("left else"), undo: true }),
  };
  const rightEnd = rightFails ? failing("right") : pass;
  const right = {
    then: calls.step("right-then", { run: pass, undo: true }),
    thenEnd: calls.step("right-then-end", { run: rightEnd, undo: true }),
    else: calls.step("right-else", { run: pass, undo: true }),
    elseEnd: calls.step("right-else-end", { run: rightEnd, undo: true }),
  };
  const after = calls.step("after", { undo: true });
  const definition = workflow<Order>({ name: "failing-sides-in-branches", version: 1 })
    .step(start)
    .fork("both", {
      left: (branch) =>
        branch.condition("left-large", {
          when: ({ value }) => greaterThan(value.amount, 100),
          then: (side) => side.step(left.then).step(left.thenEnd),
          else: (side) => side.step(left.else).step(left.elseEnd),
        }),
      right: (branch) =>
        branch.condition("right-large", {
          when: ({ value }) => greaterThan(value.amount, 100),
          then: (side) => side.step(right.then).step(right.thenEnd),
          else: (side) => side.step(right.else).step(right.elseEnd),
        }),
    })
    .step(after)
    .build();
  const services = { left: Object.values(left), right: Object.values(right), common: [start, after] };
  return { definition, services };
};

/** The nodes of which the database holds anything at all. */
const created = async (cluster: Cluster, instanceId: string): Promise<string[]> => {
  const rows = await cluster.sql<{ node: string }>(
    `SELECT node FROM step WHERE instance_id = $1 UNION SELECT node FROM queue WHERE instance_id = $1
     UNION SELECT node FROM event WHERE instance_id = $1 AND node IS NOT NULL`,
    [instanceId],
  );
  return rows.map(({ node }) => node).toSorted();
};

for (const { number, side, amount, ran, other } of [
  { number: "A22", side: "else", amount: 50, ran: ["accept", "file"], other: ["approve", "review"] },
  { number: "A23", side: "then", amount: 500, ran: ["review", "approve"], other: ["accept", "file"] },
]) {
  test(`${number} the '${side}' side fails in sequence: only what ran is rolled back`, async () => {
    const calls = new Recorder();
    const { definition, services } = inSequence(calls);
    const cluster = await startCluster({ services });
    const view = await cluster.run(definition, { amount });
    expect(view.status).toBe("failed");
    expect(calls.labels()).toEqual([
      "prepare",
      ...ran,
      ...ran.toReversed().map((name) => `undo ${name}`),
      "undo prepare",
    ]);
    expect(await created(cluster, view.instanceId)).toEqual(["is-large", "prepare", ...ran].toSorted());
    const statuses = statusesOf(view);
    for (const name of ["prepare", "is-large", ...ran]) expect(statuses[name], name).toBe("rolled_back");
    for (const name of [...other, "after"]) expect(statuses[name], name).toBe("skipped");
  });
}

for (const given of [
  { number: "A24", side: "else", amount: 50, rightFails: true },
  { number: "A24", side: "else", amount: 50, rightFails: false },
  { number: "A25", side: "then", amount: 500, rightFails: true },
  { number: "A25", side: "then", amount: 500, rightFails: false },
]) {
  const where = given.rightFails ? "both branches" : "one branch";
  test(`${given.number} the '${given.side}' side fails inside ${where} of a fork: only what ran is rolled back`, async () => {
    const calls = new Recorder();
    const { definition, services } = inBranches(calls, given.rightFails);
    const cluster = await startCluster({ services });
    const view = await cluster.run(definition, { amount: given.amount });
    expect(view.status).toBe("failed");
    const { side } = given;
    const other = side === "then" ? "else" : "then";
    const forward = calls.labels().filter((label) => !label.startsWith("undo"));
    const undone = calls.labels().filter((label) => label.startsWith("undo"));
    // A branch may have been stopped on its way by the failure of the other.
    expect(undone.toSorted()).toEqual(forward.map((name) => `undo ${name}`).toSorted());
    expect(undone.at(-1)).toBe("undo start");
    for (const branch of ["left", "right"]) {
      const [first, last] = [`${branch}-${side}`, `${branch}-${side}-end`];
      if (forward.includes(last)) expect(calls.isBefore(`undo ${last}`, `undo ${first}`), branch).toBe(true);
    }
    expect(
      forward.some((name) => name === `left-${side}-end` || (given.rightFails && name === `right-${side}-end`)),
    ).toBe(true);
    const nodes = await created(cluster, view.instanceId);
    expect(nodes.filter((node) => node.includes(`-${other}`))).toEqual([]);
    expect(nodes).not.toContain("after");
    expect(statusesOf(view).after).toBe("skipped");
  });
}
