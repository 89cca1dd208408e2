"""Many machines: one fit in the processes that torchrun started, its boards or its data points shared out among them.

Every process calls `fit_distributed` alike. Boards need no word between them until the end, when what was found is
gathered; points are summed up at every step (all-reduce), and all processes take the same steps. The messages that
are sent are those of `torch.distributed`; `circuits.fitting.workers` writes such patterns out by hand, to be looked at.
"""

from circuits.fitting.distributed.found import Found, Messages
from circuits.fitting.distributed.group import Group, joined, part_of
from circuits.fitting.distributed.sharing import fit_distributed

__all__ = ["Found", "Group", "Messages", "fit_distributed", "joined", "part_of"]
