"""Timings of native code, peers and ours, side by side in one run: `python -m benchmarks core`."""
