export type { InstanceStatus, StepView } from "@floxy/shared";
export type { Duration } from "./duration.ts";
export type { Call, CallResult } from "./flight.ts";
export { type TestKit, type TestOptions, type TestStartOptions, testWorkflow } from "./kit.ts";
export type { Act, RunEnd, RunView, TestRun } from "./run.ts";
export type { CalledOptions, Script, ScriptFunction, ScriptOptions, ScriptTimes, StallOptions } from "./script.ts";
export type { FakeTransaction } from "./transaction.ts";
export type { WaitsFor } from "./waits.ts";
