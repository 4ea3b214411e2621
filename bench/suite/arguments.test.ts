import { describe, expect, it } from "vitest";
import { systemNames } from "../systems/names.ts";
import { workloadNames } from "../workloads/names.ts";
import { parseArguments } from "./arguments.ts";

describe("arguments", () => {
  it("without any mean the full suite, three rounds", () => {
    expect(parseArguments([])).toEqual({
      does: "measure",
      quick: false,
      workloads: workloadNames,
      systems: systemNames,
      rounds: 3,
    });
  });

  it("--quick means fewer workloads, peers and rounds", () => {
    const { quick, workloads, systems, rounds } = parseArguments(["--quick"]);
    expect({ quick, rounds }).toEqual({ quick: true, rounds: 1 });
    expect(workloads.length).toBeLessThan(workloadNames.length);
    expect(systems.length).toBeLessThan(systemNames.length);
    expect(workloadNames).toEqual(expect.arrayContaining([...workloads]));
    expect(systemNames).toEqual(expect.arrayContaining([...systems]));
  });

  it("name workloads and systems, kept in the order of the suite", () => {
    const request = parseArguments(["--quick", "--only", "fork-10,sequence-3", "--systems", "pg-boss,floxy"]);
    expect(request.workloads).toEqual(["sequence-3", "fork-10"]);
    expect(request.systems).toEqual(["floxy", "pg-boss"]);
  });

  it("say how many rounds", () => {
    expect(parseArguments(["--rounds", "7"]).rounds).toBe(7);
  });

  it("ask for help or the report", () => {
    expect(parseArguments(["--help"]).does).toBe("help");
    expect(parseArguments(["--report"]).does).toBe("report");
  });

  it.each([
    [["--only", "sequence-4"], /--only: sequence-4 is not known; there are sequence-3/],
    [["--only", ","], /--only names nothing/],
    [["--only"], /--only needs a value/],
    [["--systems", "--quick"], /--systems needs a value/],
    [["--rounds", "0"], /whole number from 1 to 100, not 0/],
    [["--rounds", "two"], /not two/],
    [["--fast"], /--fast is not known/],
  ])("%j is refused with a sentence", (given, message) => {
    expect(() => parseArguments(given)).toThrow(message);
  });
});
