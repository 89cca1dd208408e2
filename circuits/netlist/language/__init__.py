"""SPICE as ngspice reads it, its linear part: from text to a flat `Netlist`.

**Cards.** R C L K V I E F G H T X with values as numbers (`10k`, `4.7kOhm`, `100nF`, `1meg` is a million, `1M` a
thousandth, `1F` a femto), as expressions in braces or quotes, or as the name of a parameter; `m=`, `scale=`, `tc1=`,
`temp=`; `.model` of R, C and L. Nonlinear devices and behavioural sources are errors that name line and element.

**Lines with a dot.** `.param`, `.func`, `.subckt` … `.ends` (nested, with parameters), `.include`, `.lib FILE SECTION`,
`.model`, `.global`, `.temp`, `.option temp= tnom=`, `.ac`, `.title`, `.end`; `.control` blocks and what only prints are
skipped. Included files must lie in the netlist's own folder unless `allow_outside` is given.

**More than SPICE has.** `X1 a b CPE q=1u alpha=0.9`, `X2 a b WARBURG sigma=50`, `X3 a b WARBURG_OPEN r=10 tau=1m`,
`X4 a b WARBURG_SHORT r=10 tau=1m`; `X5 inp inn out OPAMP_IDEAL gain=1e9` and `X6 inp inn out OPAMP_GBW gbw=1meg a0=1e5
rout=75 rin=1e12` need no include (ngspice reads them from `circuits/netlist/library/opamps.lib`); `K1 L1 L2 L3 0.9`
couples all pairs. A netlist's own subcircuits of these names count before them.

**Annotations.** `tol=5%` on a card, or in a comment that ngspice skips: `; @tol=5% @learn @min=10 @max=1meg @unit=Hz`,
also on lines of `.param` and `.subckt`; `@td.tol=1%` is for one value of an element that has several.

**Where ngspice would surprise.** What it takes for something else than it looks like is an error here: `4k7` (4000 to
ngspice), `{1mil}` (0.001), `a*-b`, cards after `.end`, a parameter passed to a subcircuit in terms of a name that the
subcircuit has too. Differently from ngspice 39, R = 0 is no resistance at all (1 mΩ there), and `1μ` with the Greek
letter is a micro (1 there).
"""

from circuits.netlist.language.reading import parse_netlist, read_file

__all__ = ["parse_netlist", "read_file"]
