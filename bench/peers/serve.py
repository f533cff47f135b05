"""Answers each line of JSON on stdin by one on stdout: how a peer speaks with the bench."""

import json
import resource
import sys
import time


def serve(prepare, profile=None):
    """Serves the operations of a peer.

        {"op": "prepare", ...}          ->  what `prepare(...)` says besides the step, e.g. {"version": "1.13.0"}
        {"op": "steps", "count": 20}    ->  {"ms": [one number per step], "loss": 2.3}; of the processor with "clock": "processor"
        {"op": "memory"}                ->  {"peak": 104857600}, bytes that were resident at most
        {"op": "profile", "count": 20}  ->  {"table": "where the time of that many steps went"}

    A request that fails is answered by {"error": "why"}.

    @param prepare takes what the bench says of the step, and returns it as a function, and what to say of it
    @param profile takes the step and how often to run it, and returns the table
    """
    step = None

    def prepare_step(**given):
        nonlocal step
        step, about = prepare(**given)
        return about

    def steps(count, clock="wall"):
        now = {"wall": time.perf_counter, "processor": time.process_time}[clock]
        times = []
        for _ in range(count):
            start = now()
            loss = step()
            times.append((now() - start) * 1e3)
        return {"ms": times, "loss": loss}

    def memory():
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}

    operations = {"prepare": prepare_step, "steps": steps, "memory": memory}
    if profile:
        operations["profile"] = lambda count: {"table": profile(step, count)}
    for line in sys.stdin:
        try:
            message = json.loads(line)
            answer = json.dumps(operations[message.pop("op")](**message), allow_nan=False)
        except Exception as error:  # whatever it is, the other side must hear of it
            answer = json.dumps({"error": f"{type(error).__name__}: {error}"})
        print(answer, flush=True)
