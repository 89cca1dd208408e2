"""A file of every instrument as it writes it, with the numbers that are in it."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

import numpy as np

N = 21
FREQUENCIES = [10.0 * 10 ** (i / 5) for i in range(N)]
LOW = [1 / (1 + 1j * f / 800) for f in FREQUENCIES]
HIGH = [1j * f / 800 / (1 + 1j * f / 800) for f in FREQUENCIES]


@dataclass(frozen=True)
class Sample:
    """A file, and what must be read from it: frequencies, complex or real values of each output."""

    content: bytes
    f: list[float]
    values: list[list[complex]]
    outputs: tuple[str, ...] = ()
    source: str = ""
    encoding: str = "utf-8"
    quantity: str = "response"
    asked: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether it can be edited line by line."""
        return self.encoding != ""

    @property
    def text(self) -> str:
        """The file as text."""
        return self.content.decode(self.encoding)


def decibels(h, digits=4):
    return f"{20 * math.log10(abs(h)):.{digits}f}"


def degrees(h, digits=3):
    return f"{math.degrees(cmath.phase(h)):.{digits}f}"


def polar(db, deg):
    return cmath.rect(10 ** (float(db) / 20), math.radians(float(deg)))


def hertz(digits=3):
    return [f"{f:.{digits}f}" for f in FREQUENCIES]


def pairs(h, digits=4):
    """Texts of decibels and of degrees, and the numbers that they say."""
    db, deg = [decibels(one, digits) for one in h], [degrees(one, digits) for one in h]
    return db, deg, [polar(a, b) for a, b in zip(db, deg, strict=True)]


def lines(header, columns, delimiter=",", end="\n"):
    rows = [delimiter.join(row) for row in zip(*columns, strict=True)]
    return end.join([*header, *rows]) + end


def sample(text, values, *, f=None, encoding="utf-8", **rest):
    f = [float(x) for x in hertz()] if f is None else f
    values = values if isinstance(values[0], list) else [values]
    return Sample(text.encode(encoding), f, values, encoding=encoding, **rest)


PREAMBLE = [
    "#Digilent WaveForms Network Analyzer - Bode",
    "#Device Name: Discovery2",
    "#Serial Number: SN:210321A35FCC",
    "#Date Time: 2018-10-29 18:31:51.647",
    "#Start: 10 Hz",
    "#Stop: 100000 Hz",
    "#Steps: 21",
    "#Wavegen: Wavegen1",
    "#Amplification: 1 X",
    "#Settle: 10 ms",
    "#MinPeriods: 16",
    "#Channel: Channel 1",
    "#Range: 5.42537 V",
    "#Offset: 0.000183761 V",
    "#Relative: no",
    "#Channel: Channel 2",
    "#Range: 5.47028 V",
    "#Offset: -7.92091e-07 V",
    "#Relative: yes",
    "",
]


def digilent(phase="(*)", preamble=True, first=True, relative="yes"):
    db, deg, values = pairs(LOW)
    one = [f"{-0.5 - 0.01 * i:.4f}" for i in range(N)]
    names = ["Channel 1 Magnitude (dB)"] * first + ["Channel 2 Magnitude (dB)", f"Channel 2 Phase {phase}"]
    head = [line if line != "#Relative: yes" else f"#Relative: {relative}" for line in PREAMBLE] * preamble
    columns = [hertz(), *([one] * first), db, deg]
    if relative == "no":
        values = [polar(float(a) - float(b), c) for a, b, c in zip(db, one, deg, strict=True)]
    text = lines([*head, ",".join(["Frequency (Hz)", *names])], columns)
    return sample(text, values, source="Digilent WaveForms network analyser")


def siglent(rows=27, outputs=1):
    head = ["Siglent Bode,SDS2104X Plus", "Start Freq,10", "Stop Frequency,100000", "Frequency Mode,Decade"]
    head += [f"Setting {i},{i}.5" for i in range(rows - len(head) - 2)] + ["Bode Data", f"Number of Points,{N}"]
    names, columns, values = ["Frequency(Hz)"], [hertz()], []
    for i in range(1, outputs + 1):
        db, deg, found = pairs((LOW, HIGH, LOW)[i - 1])
        names += [f"CH{i} Amplitude(dB)", f"CH{i} Phase(Deg)"]
        columns += [db, deg]
        values.append(found)
    named = tuple(f"CH{i}" for i in range(1, outputs + 1)) if outputs > 1 else ()
    return sample(lines([*head, ",".join(names)], columns), values, outputs=named, source="Siglent Bode plot")


def keysight(delimiter=", ", comma=False):
    db, deg, values = pairs(LOW)
    columns = [[str(i + 1) for i in range(N)], hertz(), ["1.0000"] * N, db, deg]
    if comma:
        columns = [[cell.replace(".", ",") for cell in column] for column in columns]
    header = delimiter.join(["#", "Frequency (Hz)", "Amplitude (Vpp)", "Gain (dB)", "Phase (°)"])
    source = "Keysight frequency response analysis"
    return sample(lines([header], columns, delimiter, "\r\n"), values, encoding="cp1252", source=source)


def rigol():
    db, deg, values = pairs(LOW)
    head = ["RIGOL Bode Data", "Para Set", "StartFreq:,10Hz", "StopFreq:,100KHz", "Amp:,1V", "Freq(Hz),Gain(dB),Phase"]
    return sample(lines(head, [hertz(), db, deg]), values, source="Rigol Bode plot")


def rohde_schwarz():
    db, deg, values = pairs(LOW)
    columns = [[str(i) for i in range(N)], hertz(), db, deg, ["0.5000"] * N]
    head = ["in Sa,Frequency in Hz,Gain in dB,Phase in °,Amplitude in Vpp"]
    return sample(lines(head, columns, end="\r\n"), values, source="Rohde & Schwarz Bode plot")


def moku():
    one, two = pairs(LOW), pairs(HIGH)
    head = [
        "% Moku:Go Frequency Response Analyzer",
        "% Acquired 2023-01-01 T 12:00:00",
        "% Start frequency 10 Hz, stop frequency 100 kHz",
        "% Frequency (Hz), Channel A Magnitude (dBm), Channel A Phase (deg), Channel B Magnitude (dBm), "
        "Channel B Phase (deg)",
    ]
    text = lines(head, [hertz(), *one[:2], *two[:2]], ", ")
    outputs = ("Channel A", "Channel B")
    return sample(text, [one[2], two[2]], outputs=outputs, source="Moku frequency response analyser")


def picoscope():
    db, deg, values = pairs(LOW)
    x = [f"{math.log10(f):.15g}" for f in FREQUENCIES]
    text = lines(["Frequency Log(Hz), Gain (dB), Phase (deg)"], [x, db, deg], ", ")
    return sample(text, values, f=[10 ** float(one) for one in x], source="PicoScope frequency response analyser")


def ltspice_rows(traces, cartesian=False):
    """Rows of an LTspice text, and what they say."""
    x = [f"{f:.14e}" for f in FREQUENCIES]
    cells, values = [], []
    for h in traces:
        if cartesian:
            texts = [(f"{one.real:.14e}", f"{one.imag:.14e}") for one in h]
            values.append([complex(float(a), float(b)) for a, b in texts])
            cells.append([f"{a},{b}" for a, b in texts])
        else:
            texts = [(f"{20 * math.log10(abs(o)):.14e}", f"{math.degrees(cmath.phase(o)):.14e}") for o in h]
            values.append([polar(a, b) for a, b in texts])
            cells.append([f"({a}dB,{b}°)" for a, b in texts])
    return x, cells, values


def ltspice(cartesian=False):
    x, cells, values = ltspice_rows([LOW], cartesian)
    head = ["Freq.\tV(out)/V(in)"] + ([] if cartesian else ["Step Information: R=1K  (Step: 3/3)"])
    text = lines(head, [x, *cells], "\t", "\r\n")
    return sample(text, values, f=[float(one) for one in x], encoding="latin-1", source="LTspice AC text")


def ltspice_steps():
    x, (one, two), values = ltspice_rows([LOW, HIGH])
    first = lines(["Freq.\tV(out)", "Step Information: R=1K  (Step: 1/2)"], [x, one], "\t", "\r\n")
    second = lines(["Step Information: R=2K  (Step: 2/2)"], [x, two], "\t", "\r\n")
    f, outputs = [float(one) for one in x], ("R=1K", "R=2K")
    return sample(first + second, values, f=f, encoding="latin-1", outputs=outputs, source="LTspice AC text")


def raw_header(flags, names, points, mark, date="Sun Nov  1 12:00:00 2026"):
    kinds = ["frequency", *["voltage"] * (len(names) - 1)]
    listed = [f"\t{i}\t{name}\t{kind}" for i, (name, kind) in enumerate(zip(names, kinds, strict=True))]
    head = ["Title: * low-pass", f"Date: {date}", "Plotname: AC Analysis", f"Flags: {flags}"]
    head += [f"No. Variables: {len(names)}", f"No. Points: {points}", "Variables:", *listed, mark]
    return "\n".join(head) + "\n"


def ltspice_raw(steps=1, fast=False):
    names = ["frequency", "V(in)", "V(out)"]
    rows = [[f, 1.0, h] for trace in (LOW, HIGH)[:steps] for f, h in zip(FREQUENCIES, trace, strict=True)]
    flags = "complex forward log" + " stepped" * (steps > 1) + " fastaccess" * fast
    head = raw_header(flags, names, len(rows), "Binary:").replace("\nVariables", "\nOffset: 0\nVariables")
    table = np.array(rows, "<c16")
    body = np.ascontiguousarray(table.T if fast else table).tobytes()
    ones, content = [1.0 + 0j] * N, head.encode("utf-16-le") + body
    if steps == 1:
        return Sample(content, FREQUENCIES, [ones, LOW], ("V(in)", "V(out)"), "SPICE raw", "")
    outputs = ("V(in) step 1", "V(out) step 1", "V(in) step 2", "V(out) step 2")
    return Sample(content, FREQUENCIES, [ones, LOW, ones, HIGH], outputs, "SPICE raw", "")


def ngspice_raw():
    rows = [[complex(f, 5e-310 * i), h] for i, (f, h) in enumerate(zip(FREQUENCIES, LOW, strict=True))]
    head = raw_header("complex", ["frequency", "v(out)"], N, "Binary:")
    return Sample(head.encode() + np.array(rows, "<c16").tobytes(), FREQUENCIES, [LOW], (), "SPICE raw", "")


def ascii_raw(end="\n"):
    body, values, f = [], [], []
    for i, (x, h) in enumerate(zip(FREQUENCIES, LOW, strict=True)):
        body += [f" {i}\t{x:.15e},{1e-320 * i:.15e}", f"\t{h.real:.15e},{h.imag:.15e}", ""]
        f.append(float(f"{x:.15e}"))
        values.append(complex(float(f"{h.real:.15e}"), float(f"{h.imag:.15e}")))
    text = raw_header("complex", ["frequency", "v(out)"], N, "Values:") + "\n".join(body) + "\n"
    return sample(text.replace("\n", end), values, f=f, source="SPICE raw")


def wrdata(vectors=1):
    texts = [[(f"{h.real:.8e}", f"{h.imag:.8e}") for h in trace] for trace in (LOW, HIGH)[:vectors]]
    values = [[complex(float(a), float(b)) for a, b in trace] for trace in texts]
    x = [f"{f:.8e}" for f in FREQUENCIES]
    rows = [" ".join(f" {x[i]} {a:>15} {b:>15}" for a, b in (trace[i] for trace in texts)) + " " for i in range(N)]
    outputs = tuple(f"vector {i + 1}" for i in range(vectors)) if vectors > 1 else ()
    f = [float(one) for one in x]
    return sample("\n".join(rows) + "\n", values, f=f, outputs=outputs, source="ngspice wrdata")


def wrdata_phase():
    x, phase = [f"{f:.8e}" for f in FREQUENCIES], [f"{cmath.phase(h):.8e}" for h in LOW]
    text = "".join(f" {a}  {b} \n" for a, b in zip(x, phase, strict=True))
    values = [math.degrees(float(one)) for one in phase]
    f = [float(one) for one in x]
    return sample(text, values, f=f, quantity="phase", asked="phase", source="ngspice wrdata")


SCALES = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9}


def touchstone(unit="Hz", form="RI", ports=1, parameter="S"):
    traces = [LOW] if ports == 1 else [LOW, HIGH, LOW, HIGH]
    x, columns, values = [f"{f / SCALES[unit]:.12g}" for f in FREQUENCIES], [], []
    for h in traces:
        size = [f"{20 * math.log10(abs(o)):.9f}" if form == "DB" else f"{abs(o):.9f}" for o in h]
        angle = [f"{math.degrees(cmath.phase(one)):.9f}" for one in h]
        if form == "RI":
            size, angle = [f"{one.real:.9f}" for one in h], [f"{one.imag:.9f}" for one in h]
        columns += [size, angle]
        values.append(
            [_touchstone_number(a, b, form) * (50 if parameter == "Z" else 1) for a, b in zip(size, angle, strict=True)]
        )
    head = ["! a low-pass, measured on Monday", f"# {unit} {parameter} {form} R 50", "! freq"]
    outputs = () if ports == 1 else tuple(parameter + pair for pair in ("11", "21", "12", "22"))
    f = [float(one) * SCALES[unit] for one in x]
    return sample(lines(head, [x, *columns], "  "), values, f=f, outputs=outputs, source="Touchstone")


def _touchstone_number(a, b, form):
    if form == "RI":
        return complex(float(a), float(b))
    return polar(a, b) if form == "DB" else cmath.rect(float(a), math.radians(float(b)))


def rew(delimiter="\t"):
    db, deg, values = pairs(LOW)
    head = ["* Measurement data measured by REW V5.20", "* Source: Line in", "* Dated: 1 Jan 2023 12:00:00", "*"]
    head += [delimiter.join(["* Freq(Hz)", "SPL(dB)", "Phase(degrees)"])]
    return sample(lines(head, [hertz(), db, deg], delimiter), values, source="Room EQ Wizard")


def zplot():
    re, im = [f"{100 * h.real:.4E}" for h in LOW], [f"{100 * h.imag:.4E}" for h in LOW]
    head = ["ZPLOT2 ASCII", "  Measured Data, ZPlot:       3.2c", "  Date:                       10-12-2018"]
    head += ["    vs Freq-Initial:          50000", f"  Data Points:                {N}"]
    head += ["  Freq(Hz)\tAmpl\tBias\tTime(Sec)\tZ'(a)\tZ''(b)\tGD\tErr\tRange", "End Comments"]
    x = [f"{f:.6E}" for f in FREQUENCIES]
    plain = ["1.0000E-02"] * N, ["0.0000E+00"] * N
    columns = [x, *plain, ["2.590000E+00"] * N, re, im, ["0.0000E+00"] * N, ["0"] * N, ["4"] * N]
    values = [complex(float(a), float(b)) for a, b in zip(re, im, strict=True)]
    return sample(lines(head, columns, "\t"), values, f=[float(one) for one in x], source="ZPlot impedance")


SAMPLES = {
    "digilent": digilent(),
    "digilent in (deg)": digilent("(deg)"),
    "digilent in (°)": digilent("(°)"),
    "digilent without preamble": digilent(preamble=False),
    "digilent without channel 1": digilent(first=False),
    "digilent not relative": digilent(relative="no"),
    "siglent": siglent(),
    "siglent, a row more": siglent(28),
    "siglent, two outputs": siglent(27, 2),
    "siglent, three outputs": siglent(28, 3),
    "keysight": keysight(),
    "keysight with semicolons": keysight(";"),
    "keysight with decimal commas": keysight(";", comma=True),
    "rigol": rigol(),
    "rohde & schwarz": rohde_schwarz(),
    "moku": moku(),
    "picoscope": picoscope(),
    "ltspice text": ltspice(),
    "ltspice text, cartesian": ltspice(cartesian=True),
    "ltspice text, two steps": ltspice_steps(),
    "ltspice raw": ltspice_raw(),
    "ltspice raw, two steps": ltspice_raw(2),
    "ltspice raw, fast access": ltspice_raw(fast=True),
    "ngspice raw": ngspice_raw(),
    "ascii raw": ascii_raw(),
    "wrdata": wrdata(),
    "wrdata, two vectors": wrdata(2),
    "wrdata, a phase": wrdata_phase(),
    "touchstone": touchstone(),
    "touchstone, kHz MA": touchstone("kHz", "MA"),
    "touchstone, GHz DB": touchstone("GHz", "DB"),
    "touchstone, nine columns": touchstone("MHz", "MA", 2),
    "touchstone, Z": touchstone("Hz", "RI", 1, "Z"),
    "rew": rew(),
    "rew with commas": rew(", "),
    "rew with blanks": rew(" "),
    "zplot": zplot(),
}
