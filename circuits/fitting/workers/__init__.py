"""Many workers: a fit whose data are spread over processes, which add up their shares by sending messages."""

from circuits.fitting.workers.exchange import PATTERNS, AllToAll, Cost, Exchange, ParameterServer, RingAllReduce
from circuits.fitting.workers.launch import fit_with_workers
from circuits.fitting.workers.sharded import ShardedProblem, shard_of
from circuits.fitting.workers.together import Together, fit_in_group
from circuits.fitting.workers.traffic import Traffic

__all__ = [
    "PATTERNS",
    "AllToAll",
    "Cost",
    "Exchange",
    "ParameterServer",
    "RingAllReduce",
    "ShardedProblem",
    "Together",
    "Traffic",
    "fit_in_group",
    "fit_with_workers",
    "shard_of",
]
