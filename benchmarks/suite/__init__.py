"""What `run.py` is made of: the table of benchmarks, the machine, the results with page and plot, the baseline."""
