"""Units: what the vendors call them and how their numbers become canonical ones.

The conversion depends on the quantity: 5 K of a temperature difference stay 5 K, 293.15 K of a
temperature are 20 °C. A name that is not in the table is not guessed: its readings are
quarantined, because no vendor documents all of its own. What a quantity is good for is in
``quantities``.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from energy_platform.schemas import Quantity


class Conversion(NamedTuple):
    """``canonical = value * multiplier / divisor + offset``.

    Attributes:
        unit: Canonical unit.
        multiplier: Exact factor, a power of ten or a whole number.
        divisor: Exact divisor; kept apart because 1/3600 has no exact double.
        offset: Added last, in the canonical unit.
    """

    unit: str
    multiplier: float = 1.0
    divisor: float = 1.0
    offset: float = 0.0

    @property
    def counts_per_unit(self) -> float:
        """Counts of the source unit in one canonical unit: 3600 for joules, 1 where it is finer."""
        return self.divisor


CANONICAL_UNITS: Final[Mapping[Quantity, str]] = {
    "active_energy_import": "Wh",
    "active_energy_export": "Wh",
    "active_energy_net": "Wh",
    "generation_energy": "Wh",
    "battery_energy_charge": "Wh",
    "battery_energy_discharge": "Wh",
    "reactive_energy_import": "varh",
    "reactive_energy_export": "varh",
    "apparent_energy": "VAh",
    "heating_energy": "Wh",
    "cooling_energy": "Wh",
    "active_power": "W",
    "reactive_power": "var",
    "apparent_power": "VA",
    "power_factor": "1",
    "voltage": "V",
    "current": "A",
    "frequency": "Hz",
    "volume": "m³",
    "volume_flow": "m³/h",
    "pressure": "Pa",
    "temperature": "°C",
    "supply_temperature": "°C",
    "return_temperature": "°C",
    "outdoor_temperature": "°C",
    "temperature_difference": "K",
    "humidity": "%",
    "co2_concentration": "ppm",
    "valve_position": "%",
    "input_energy": "Wh",
    "output_energy": "Wh",
    "state_of_charge": "%",
    "state_of_health": "%",
    "stored_energy": "Wh",
    "storable_energy": "Wh",
    "available_power": "W",
    "operating_time": "s",
    "time_on_battery": "s",
    "time_on_bypass": "s",
    "battery_capacity": "Ah",
    "load_rate": "%",
    "lighting_level": "%",
    "illuminance": "lx",
    "count": "count",
    "overload_count": "count",
    "state": "1",
}
"""The unit of each quantity; those of ``ANY_UNIT`` keep that of what the vendor said."""

ANY_UNIT: Final[frozenset[str]] = frozenset({"other", "setpoint"})
"""Quantities that have no unit of their own: a setpoint has that of what it sets."""

_SYMBOLS: Final[Mapping[str, Conversion]] = {
    "Wh": Conversion("Wh"),
    "kWh": Conversion("Wh", 1e3),
    "MWh": Conversion("Wh", 1e6),
    "GWh": Conversion("Wh", 1e9),
    "J": Conversion("Wh", 1.0, 3600.0),
    "kJ": Conversion("Wh", 1e3, 3600.0),
    "MJ": Conversion("Wh", 1e6, 3600.0),
    "GJ": Conversion("Wh", 1e9, 3600.0),
    "varh": Conversion("varh"),
    "kvarh": Conversion("varh", 1e3),
    "Mvarh": Conversion("varh", 1e6),
    "VAh": Conversion("VAh"),
    "kVAh": Conversion("VAh", 1e3),
    "MVAh": Conversion("VAh", 1e6),
    "W": Conversion("W"),
    "kW": Conversion("W", 1e3),
    "MW": Conversion("W", 1e6),
    "var": Conversion("var"),
    "kvar": Conversion("var", 1e3),
    "VA": Conversion("VA"),
    "kVA": Conversion("VA", 1e3),
    "V": Conversion("V"),
    "mV": Conversion("V", 1.0, 1e3),
    "kV": Conversion("V", 1e3),
    "A": Conversion("A"),
    "mA": Conversion("A", 1.0, 1e3),
    "kA": Conversion("A", 1e3),
    "Hz": Conversion("Hz"),
    "°C": Conversion("°C"),
    "K": Conversion("K"),
    "%": Conversion("%"),
    "Ah": Conversion("Ah"),
    "m³": Conversion("m³"),
    "l": Conversion("m³", 1.0, 1e3),
    "m³/h": Conversion("m³/h"),
    "m³/s": Conversion("m³/h", 3600.0),
    "l/s": Conversion("m³/h", 3600.0, 1e3),
    "l/min": Conversion("m³/h", 60.0, 1e3),
    "l/h": Conversion("m³/h", 1.0, 1e3),
    "Pa": Conversion("Pa"),
    "hPa": Conversion("Pa", 100.0),
    "kPa": Conversion("Pa", 1e3),
    "mbar": Conversion("Pa", 100.0),
    "bar": Conversion("Pa", 1e5),
    "ppm": Conversion("ppm"),
    "lx": Conversion("lx"),
    "s": Conversion("s"),
    "min": Conversion("s", 60.0),
    "h": Conversion("s", 3600.0),
    "d": Conversion("s", 86_400.0),
    "count": Conversion("count"),
    "1": Conversion("1"),
}
"""Symbols in their usual spelling."""

_OTHER_NAMES: Final[Mapping[str, str]] = {
    # Enumeration names; vendors do not document all of theirs, so those close at hand stand too.
    "AMPERE": "A",
    "MILLIAMPERE": "mA",
    "KILOAMPERE": "kA",
    "VOLT": "V",
    "MILLIVOLT": "mV",
    "KILOVOLT": "kV",
    "WATT": "W",
    "KILOWATT": "kW",
    "MEGAWATT": "MW",
    "VAR": "var",
    "KILOVAR": "kvar",
    "VOLT_AMPERE": "VA",
    "KILOVOLT_AMPERE": "kVA",
    "VOLT_AMPERE_REACTIVE": "var",
    "KILOVOLT_AMPERE_REACTIVE": "kvar",
    "WATT_HOUR": "Wh",
    "KILOWATT_HOUR": "kWh",
    "MEGAWATT_HOUR": "MWh",
    "VAR_HOUR": "varh",
    "KILOVAR_HOUR": "kvarh",
    "VOLT_AMPERE_HOUR": "VAh",
    "KILOVOLT_AMPERE_HOUR": "kVAh",
    "VOLT_AMPERE_REACTIVE_HOUR": "varh",
    "KILOVOLT_AMPERE_REACTIVE_HOUR": "kvarh",
    "JOULE": "J",
    "PERCENT": "%",
    "PERCENTAGE": "%",
    "HERTZ": "Hz",
    "CELSIUS": "°C",
    "DEGREE_CELSIUS": "°C",
    "KELVIN": "K",
    "AMPERE_HOUR": "Ah",
    "SECOND": "s",
    "MINUTE": "min",
    "HOUR": "h",
    "DAY": "d",
    "CUBIC_METER": "m³",
    "CUBIC_METER_PER_HOUR": "m³/h",
    "LUX": "lx",
    "PASCAL": "Pa",
    "KILOPASCAL": "kPa",
    "BAR": "bar",
    "PARTS_PER_MILLION": "ppm",
    "COUNT": "count",
    "NONE": "1",
    # Spellings seen or close at hand.
    "VAr": "var",
    "kVAR": "kvar",
    "kVAr": "kvar",
    "VARh": "varh",
    "VArh": "varh",
    "kVARh": "kvarh",
    "kVArh": "kvarh",
    "KWh": "kWh",
    "KW": "kW",
    "degC": "°C",
    "℃": "°C",
    "m3": "m³",
    "m^3": "m³",
    "m3/h": "m³/h",
    "m^3/h": "m³/h",
    "m3/s": "m³/s",
    "m^3/s": "m³/s",
    "L": "l",
    "L/s": "l/s",
    "L/min": "l/min",
    "luxes": "lx",
    "lux": "lx",
    "% of Wmax": "%",
    "%RH": "%",
    "% RH": "%",
    "%rH": "%",
    "sec": "s",
    "-": "1",
}
"""Other names of the symbols above. Case matters: ``mW`` is not ``MW``."""

_KELVIN_AT_ZERO_CELSIUS: Final = 273.15
"""By definition of the degree Celsius (SI brochure, section 2.3.1)."""

_BY_QUANTITY: Final[Mapping[tuple[str, str], Conversion]] = {
    **{
        (quantity, "K"): Conversion("°C", offset=-_KELVIN_AT_ZERO_CELSIUS)
        for quantity, unit in CANONICAL_UNITS.items()
        if unit == "°C"
    },
    ("temperature_difference", "°C"): Conversion("K"),
    ("power_factor", "%"): Conversion("1", 1.0, 100.0),
    ("state_of_charge", "1"): Conversion("%", 100.0),
    ("state", "count"): Conversion("1"),
    ("count", "1"): Conversion("count"),
    ("overload_count", "1"): Conversion("count"),
    ("load_rate", "1"): Conversion("%", 100.0),
    ("valve_position", "1"): Conversion("%", 100.0),
}
"""Conversions that hold for one quantity only."""

UNITLESS: Final[frozenset[str]] = ANY_UNIT | {"power_factor", "state", "count", "overload_count"}
"""Quantities whose vendors may rightly say no unit."""


def canonical_unit(quantity: str) -> str | None:
    """Return the unit of a quantity, None for those of ``ANY_UNIT``.

    Example:
        >>> canonical_unit("reactive_energy_import"), canonical_unit("other")
        ('varh', None)
    """
    return CANONICAL_UNITS.get(quantity)  # type: ignore[call-overload, no-any-return]


def conversion(name: str | None, *, quantity: str) -> Conversion | None:
    """Return how numbers in the unit ``name`` become the canonical unit of a quantity.

    Args:
        name: Unit as the vendor says it: symbol or enumeration name; None or empty for none.
        quantity: What is measured.

    Returns:
        None when the name is unknown, or is not a unit of this quantity: nothing is guessed.

    Example:
        >>> conversion("kWh", quantity="active_energy_import")
        Conversion(unit='Wh', multiplier=1000.0, divisor=1.0, offset=0.0)
        >>> conversion("kW", quantity="active_energy_import") is None
        True
    """
    spelled = (name or "").strip()
    if not spelled:
        return Conversion(canonical_unit(quantity) or "1") if quantity in UNITLESS else None
    symbol = _OTHER_NAMES.get(spelled, spelled)
    special = _BY_QUANTITY.get((quantity, symbol))
    if special is not None:
        return special
    found = _SYMBOLS.get(symbol)
    wanted = canonical_unit(quantity)
    if found is None or (wanted is not None and found.unit != wanted):
        return None
    return found


def units_of(quantity: str) -> tuple[str, ...]:
    """Return the symbols that numbers of a quantity may come in; all of them for ``ANY_UNIT``.

    Example:
        >>> units_of("reactive_energy_import")
        ('varh', 'kvarh', 'Mvarh')
    """
    special = [unit for one, unit in _BY_QUANTITY if one == quantity]
    fitting = [unit for unit in _SYMBOLS if conversion(unit, quantity=quantity) is not None]
    return tuple(dict.fromkeys([*fitting, *special]))


def meant_unit(name: str, *, quantity: str) -> str | None:
    """Return the symbol that a misspelt name of a unit of a quantity most likely means.

    For display only: readings are never converted by a guess.

    Example:
        >>> meant_unit("Kwh", quantity="active_energy_import")
        'kWh'
    """
    names = {unit: unit for unit in units_of(quantity)}
    names |= {other: unit for other, unit in _OTHER_NAMES.items() if unit in names}
    plain: dict[str, str] = {}
    for one, unit in names.items():
        plain.setdefault(_plain(one), unit)
    typed = _plain(name)
    if typed in plain:
        return plain[typed]
    near = difflib.get_close_matches(typed, plain, n=1, cutoff=0.75)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    """Return a name without case, blanks, joints and the s of a plural."""
    letters = "".join(one for one in name.casefold() if one not in " _-.·*")
    return letters.removesuffix("s") if len(letters) > 1 else letters


def is_known(name: str | None) -> bool:
    """Say whether a unit name is in the table, whatever it measures.

    Example:
        >>> is_known("KILOWATT_HOUR"), is_known("furlong")
        (True, False)
    """
    spelled = (name or "").strip()
    return _OTHER_NAMES.get(spelled, spelled) in _SYMBOLS


_SNAP_ULPS: Final = 2.0**-51
"""A product this close (relative) to a whole number is that number.

1234.567 kWh are 1,234,567 Wh; the product of the nearest doubles misses it by a unit in the last
place, and differences of such numbers would never be whole again.
"""


def snapped(value: pl.Expr) -> pl.Expr:
    """Return the whole number where a converted value is one up to rounding, else the value.

    Example:
        >>> frame = pl.DataFrame({"wh": [1234.567 * 1000, 0.25]})
        >>> frame.select(snapped(pl.col("wh"))).to_series().to_list()
        [1234567.0, 0.25]
    """
    whole = value.round()
    return pl.when((value - whole).abs() <= whole.abs() * _SNAP_ULPS).then(whole).otherwise(value)


def canonical(value: pl.Expr, *, by: Conversion | None = None) -> pl.Expr:
    """Return an expression for the canonical value.

    Args:
        value: Numbers as the vendor said them.
        by: One conversion for all rows; None to take the columns ``multiplier``, ``divisor`` and
            ``offset`` of the row.

    Example:
        >>> kelvin = conversion("K", quantity="temperature")
        >>> frame = pl.DataFrame({"value": [300.0]})
        >>> round(frame.select(canonical(pl.col("value"), by=kelvin)).item(), 2)
        26.85
    """
    if by is not None:
        multiplier, divisor, offset = pl.lit(by.multiplier), pl.lit(by.divisor), pl.lit(by.offset)
    else:
        multiplier, divisor, offset = pl.col("multiplier"), pl.col("divisor"), pl.col("offset")
    scaled = value * multiplier
    scaled = pl.when(multiplier > 1).then(snapped(scaled)).otherwise(scaled)
    return pl.when(offset == 0).then(scaled / divisor).otherwise(scaled / divisor + offset)
