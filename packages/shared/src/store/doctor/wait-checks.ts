/** Checks of invariants 1 and 9: who has not ended waits for something that exists, and for each wait somebody looks. */
import type { Check } from "./check.ts";
import { endedList, recentText } from "./check.ts";
import { lostTimersText, pausedForNothingText, waitsForNothingText } from "./stuck.ts";

const reconciler = "The reconciler of an orchestrator repairs it within a minute or two";

/** The checks of waits. */
export const waitChecks: readonly Check[] = [
  {
    name: "invariant_1_instance_waits_for_something",
    meaning: "It has not ended, and nothing that could move it exists: no step, note, timer, decision or signal.",
    advice: `${reconciler}, unless a step itself was lost; then cancel or abort it, and report how it came to that.`,
    query: (s) => `SELECT w.instance_id FROM (${waitsForNothingText(s)}) w`,
  },
  {
    name: "invariant_1_dlq_has_a_dead_letter",
    meaning: "It waits for a person, and there is no dead letter to decide about, or not what it was before.",
    advice: "Cancel or abort it.",
    query: (s) => `SELECT p.instance_id FROM (${pausedForNothingText(s)}) p`,
  },
  {
    name: "invariant_1_ended_has_nothing_queued",
    meaning: "It has ended, and steps of it are in the queue.",
    advice: "Stop its handlers; delete its rows of the queue once you know where they came from.",
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q JOIN ${s}.instance i USING (instance_id) WHERE i.status IN (${endedList})`,
  },
  {
    name: "invariant_1_ended_has_no_open_step",
    meaning: "It has ended, and a step of it still waits, is paused or is being compensated.",
    advice: "Look at its history; what was to be decided or undone there was not.",
    query: (s) => `
      SELECT t.instance_id FROM ${recentText(s)} JOIN ${s}.step t USING (instance_id)
      WHERE i.status IN (${endedList})
        AND t.status IN ('pending', 'running', 'waiting', 'waiting_decision', 'paused', 'compensating')`,
  },
  {
    name: "invariant_1_ended_has_no_dead_letter",
    meaning: "It has ended, and a dead letter of it still asks for a person.",
    advice: "Look at its history, and delete the dead letter if all is as it should be.",
    query: (s) => `
      SELECT l.instance_id FROM ${s}.dead_letter l JOIN ${s}.instance i USING (instance_id)
      WHERE i.status IN (${endedList})`,
  },
  {
    name: "invariant_1_ended_has_no_timer",
    meaning: "It has ended, and a timer of it is still set.",
    advice: "It does no harm; when it rings it is gone.",
    query: (s) => `
      SELECT m.instance_id FROM ${s}.timer m JOIN ${s}.instance i USING (instance_id) WHERE i.status IN (${endedList})`,
  },
  {
    name: "invariant_1_ended_has_its_time",
    meaning: "Its status and the time at which it finished do not fit: only one of them says that it has ended.",
    advice: "Whoever waits for its end may wait for ever: set finished_at to what its history says.",
    query: (s) => `
      SELECT i.instance_id FROM ${s}.instance i
      WHERE (i.finished_at IS NULL AND i.status IN (${endedList}))
         OR (i.finished_at IS NOT NULL AND i.status NOT IN (${endedList}))`,
  },
  {
    name: "invariant_9_wait_has_a_timer",
    meaning: "A step waits until a time, and neither a timer nor a note sees to it that somebody looks then.",
    advice: `${reconciler}.`,
    query: (s) => `SELECT lost.instance_id FROM (${lostTimersText(s)}) lost WHERE lost.node <> ''`,
  },
  {
    name: "invariant_9_deadline_has_a_timer",
    meaning: "It has a deadline, and neither a timer nor a note sees to it that somebody looks then.",
    advice: `${reconciler}.`,
    query: (s) => `SELECT lost.instance_id FROM (${lostTimersText(s)}) lost WHERE lost.node = ''`,
  },
  {
    name: "invariant_9_note_is_looked_at",
    meaning: "A note that it should be looked at has been lying in the inbox for too long.",
    advice: "Start an orchestrator, or more of them; see the log of those that run.",
    query: (s) => `
      SELECT n.instance_id FROM ${s}.inbox n JOIN ${s}.instance i USING (instance_id), bound
      WHERE n.visible_at < bound.late`,
  },
  {
    name: "invariant_9_timer_rings",
    meaning: "A timer should have rung a while ago.",
    advice: "Start an orchestrator; see the log of those that run.",
    query: (s) => `SELECT m.instance_id FROM ${s}.timer m, bound WHERE m.due_at < bound.late`,
  },
  {
    name: "invariant_9_delayed_step_wakes",
    meaning: "The time of a step that was delayed came a while ago, and nobody made it ready.",
    advice: "Start an orchestrator; see the log of those that run.",
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q, bound WHERE q.state = 'delayed' AND q.ready_at < bound.late`,
  },
  {
    name: "invariant_9_lease_ends",
    meaning: "The lease of a step expired a while ago, and nobody took the step over.",
    advice: "Start an orchestrator; see the log of those that run.",
    query: (s) => `
      SELECT q.instance_id FROM ${s}.queue q, bound WHERE q.state = 'leased' AND q.lease_until < bound.late`,
  },
];
