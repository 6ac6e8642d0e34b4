"""Times our work beside that of other libraries, in turns, and prints the ratio of medians.

    cargo build --release --manifest-path bench/Cargo.toml
    python bench/peers/compare.py [--only mlp-step] [--rounds 15]

Nothing is installed: peers that cannot be imported are skipped with a word. The machine has to be
quiet: on a busy one the barriers between another library's threads take longer than its work.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time

# One process compiles: a pool of them would go on working while the first rounds are timed.
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

from worker import prepare  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(ROOT, "bench", "target"))
OURS = os.path.join(TARGET, "release", "sbridge-work")
NEEDS = {"scipy": "scipy", "pot": "ot"} | {f"torch{way}": "torch" for way in ("", "-compiled", "-published", "-graph")}
TORCH = ["torch", "torch-compiled", "torch-published"]
SHAPES = [(batch, width) for batch in (128, 512, 4096) for width in (128, 256, 512)]
WORK = (
    [(f"mlp-step {b} {w}", ["torch", "torch-compiled"]) for b, w in SHAPES]
    + [(f"mlp-forward {b} {w}", ["torch"]) for b, w in SHAPES]
    + [("simulate 10000 100 256", ["torch"]), ("autoencoder-step 128", ["torch"])]
    + [(f"unet-step 64 {c}", ["torch"]) for c in (32, 64)]
    + [(name, ["torch", "torch-compiled"]) for name in ("temporal-step 32 128", "plan 128 4")]
    + [(f"half-bridge 128 256 1000 {uses}", TORCH) for uses in (1, 4)]
    + [("dsb-half-bridge 128 256 1500", TORCH)]
    + [("density-step 512 100", ["torch", "torch-graph"])]
    + [(f"assignment {n}", ["scipy", "pot"]) for n in (1000, 3000)]
    + [(f"{kind} {n} {m}", ["pot"]) for kind in ("transport", "transport-plan") for n, m in ((1000, 1300), (3000, 3500))]
    + [("sinkhorn 10000", ["pot"])]
)


def busy_cores(seconds=1.0):
    """Cores' worth of work that others do meanwhile."""

    def idle_and_all():
        with open("/proc/stat") as file:
            times = [int(t) for t in file.readline().split()[1:9]]
        return times[3] + times[4], sum(times)

    idle, total = idle_and_all()
    time.sleep(seconds)
    idle_after, total_after = idle_and_all()
    return os.cpu_count() * (1 - (idle_after - idle) / max(total_after - total, 1))


class Ours:
    def __init__(self, name, threads):
        environment = dict(os.environ, RAYON_NUM_THREADS=str(threads))
        self.process = subprocess.Popen(
            [OURS, *name.split()], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def timed(work):
    def run():
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return run


def compare(name, peer, rounds, threads):
    """Median seconds of ours and theirs: runs of one, then of the other, and again."""
    ours, theirs = Ours(name, threads), timed(prepare(name, peer, threads))
    once = max(ours(), theirs(), 1e-5)
    calls = max(1, min(50, int(0.1 / once)))
    while busy_cores(0.3) > 0.2:
        pass
    if once > 2:
        rounds = min(rounds, 3)
    else:
        for run in (ours, theirs):
            for _ in range(2 * calls):
                run()
    seconds = ([], [])
    for _ in range(rounds):
        for run, times in zip((ours, theirs), seconds):
            times.append(statistics.median(run() for _ in range(calls)))
    ours.close()
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def floor(name, rounds, threads):
    """Seconds of the matrix products of a training step alone."""
    ours = Ours(name.replace("mlp-step", "mlp-products"), threads)
    times = [ours() for _ in range(20 * rounds)]
    ours.close()
    return statistics.median(times[len(times) // 4 :])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="part of a name of work, or of a peer")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", help="write the table here as well")
    arguments = parser.parse_args()
    busy = busy_cores()
    if busy > 0.2:
        sys.exit(f"{busy:.1f} cores are busy with other work: ratios would be worthless; wait until they are idle")
    rows = []
    print(f"{'work':28} {'peer':15} {'ours':>10} {'theirs':>10} {'ratio':>7} {'/floor':>7}")
    for name, peers in WORK:
        for peer in peers:
            if arguments.only not in f"{name} {peer}":
                continue
            if importlib.util.find_spec(NEEDS[peer]) is None:
                print(f"{name:28} {peer:15} not installed")
                continue
            ours, theirs = compare(name, peer, arguments.rounds, arguments.threads)
            row = {"work": name, "peer": peer, "ours": ours, "theirs": theirs}
            line = f"{name:28} {peer:15} {ours * 1e3:8.2f}ms {theirs * 1e3:8.2f}ms {theirs / ours:7.2f}"
            if name.startswith("mlp-step"):
                row["floor"] = floor(name, arguments.rounds, arguments.threads)
                line += f" {ours / row['floor']:7.2f}"
            rows.append(row)
            print(line, flush=True)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
