"""The words by which vendors and their customers say what a number is: English, German, French.

Every list has one meaning. Words stand as ``keywords`` gives them: lower case, without
accents. Meters print them in the language of the site, and customers name devices in theirs.
"""

from __future__ import annotations

import re
from typing import Final

Words = frozenset[str]

SET: Final = Words(
    {"setpoint", "setpoints", "sp", "target", "command", "cmd", "request", "requested", "req"}
    | {"limit", "limits", "threshold", "reference", "schedule", "scheduled", "forecast"}
    | {"predictive", "predicted", "prediction", "vorhersage", "prevision", "possible", "potential"}
    | {"curtailment", "curtail", "sheddable", "shedtable", "shedding", "shedable"}
    | {"sollwert", "soll", "vorgabe", "grenzwert", "schwelle", "anforderung", "lastabwurf"}
    | {"consigne", "consignes", "limite", "limites", "seuil", "demande", "delestage", "commande"}
)
"""Of what something is ordered, asked, allowed or expected to do: nothing is measured."""

SETPOINT: Final = Words(
    {"setpoint", "setpoints", "sp", "target", "command", "cmd", "request", "requested", "req"}
    | {"sollwert", "soll", "vorgabe", "anforderung", "consigne", "consignes", "commande"}
)
"""Of what something is told to do, a part of the above."""

SHED: Final = Words({"sheddable", "shedtable", "shedable", "shed", "lastabwurf", "delestage"})
"""Of a load that could be taken off."""

OFFERED: Final = Words({"available", "shed", "verfugbar", "verfuegbar", "disponible"})
"""Of a power that could be given, taken or shed."""

RATED: Final = Words(
    {"nominal", "rated", "rating", "nenn", "nominell", "nominale", "assignee"}
    | {"nennleistung", "nennspannung", "nennstrom", "bemessung"}
)
"""Of what stands on the plate."""

EXTREMES: Final = Words(
    {"max", "maximum", "min", "minimum", "peak", "maximal", "minimal", "demand", "maxi", "mini"}
    | {"hochstwert", "hoechstwert", "tiefstwert", "spitze", "pointe", "crete"}
    | {"thd", "harmonic", "harmonics", "oberschwingung", "harmonique", "unbalance", "unsymmetrie"}
)
"""Of numbers that are computed of others over some time."""

AVERAGE: Final = Words(
    {"average", "avg", "ave", "mean", "mittelwert", "mittel", "durchschnitt", "moyenne", "moyen"}
)
"""Of an average: over phases or cells it is still a voltage, but never the sum of a power."""

RESTARTING: Final = Words(
    {"today", "daily", "day", "yesterday", "weekly", "monthly", "yearly", "hourly", "session"}
    | {"tages", "heute", "gestern", "monats", "jahres", "wochen", "stundlich"}
    | {"jour", "journalier", "journaliere", "hier", "mensuel", "mensuelle", "annuel", "annuelle"}
)
"""Of counters that start again each period."""

RESETTABLE: Final = Words(
    {"partial", "resettable", "reset", "partiel", "partielle", "teilzahler", "teilzaehler"}
    | {"rucksetzbar", "ruecksetzbar", "remise"}
)
"""Of counters that somebody sets to zero at times."""

WHOLE: Final = Words(
    {"total", "lifetime", "totalizer", "cumulative", "accumulated", "overall", "absolute"}
    | {"gesamt", "summe", "totale", "cumul", "cumule", "cumulee"}
)
"""Of counters that go on for good."""

COUNTING: Final = (
    WHOLE
    | RESETTABLE
    | Words(
        {"energy", "counter", "index", "register", "consumption", "consumed", "production"}
        | {"produced", "generated", "generation", "yield", "import", "imported", "export"}
        | {"exported", "charged", "discharged", "delivered", "received"}
        | {"energie", "arbeit", "menge", "zahler", "zaehler", "verbrauch", "erzeugung"}
        | {"bezug", "lieferung", "abgabe", "einspeisung", "geladen", "entladen"}
        | {"compteur", "consommation", "consommee", "consomme", "soutiree", "soutirage"}
        | {"injectee", "injection", "produite"}
    )
)
"""Of numbers that count; a number in kWh without one may be what a battery can still give."""

IMPORT: Final = Words(
    {"import", "imported", "imp", "consumption", "consumed", "bezug", "bezogen", "verbrauch"}
    | {"soutiree", "soutirage", "soutire", "consommation", "consommee", "consomme", "importee"}
)
EXPORT: Final = Words(
    {"export", "exported", "exp", "injected", "injection", "feedin", "lieferung", "abgabe"}
    | {"einspeisung", "eingespeist", "ruckspeisung", "rueckspeisung", "rucklieferung"}
    | {"ruecklieferung", "injectee", "injecte", "reinjection", "exportee", "restituee"}
)
POSITIVE: Final = Words({"positive", "positif", "positiv", "plus", "pos"})
NEGATIVE: Final = Words({"negative", "negatif", "negativ", "minus", "neg"})
"""Meters' words for the two directions: positive (Ea+) comes in, negative (Ea-) goes out."""

DELIVERED: Final = Words({"delivered", "livree", "livre", "fournie", "geliefert"})
RECEIVED: Final = Words({"received", "recue", "recu", "empfangen"})
"""The same word stands for both directions, after who speaks: the utility or the site."""

USER: Final = Words({"load", "loads", "customer", "client", "consumer", "site", "last", "kunde"})
NETWORK: Final = Words({"grid", "utility", "network", "netz", "reseau", "mains"})

CHARGE: Final = Words({"charge", "charged", "charging", "ladung", "laden", "geladen", "chargee"})
DISCHARGE: Final = Words(
    {"discharge", "discharged", "discharging", "entladung", "entladen", "decharge", "dechargee"}
)
PRODUCED: Final = Words(
    {"generation", "generated", "production", "produced", "yield", "produite"}
    | {"erzeugung", "erzeugt", "produktion", "ertrag"}
)
HEAT: Final = Words({"heat", "heating", "heiz", "heizung", "warme", "waerme", "chauffage"}) | {
    "chaleur",
    "chaud",
}
COLD: Final = Words({"cool", "cooling", "chilled", "cold", "kalte", "kaelte", "kuhl"}) | {
    "kuehl",
    "froid",
    "refroidissement",
    "frigorifique",
}
NET: Final = Words({"net", "nette", "netto", "saldo", "bilan", "bilanz", "balance"})
CAPACITY: Final = Words({"capacity", "kapazitat", "kapazitaet", "capacite"})
STORED: Final = CAPACITY | {
    *("available", "stored", "remaining", "reserve", "gespeichert", "verbleibend"),
    *("stockee", "restante"),
}
"""Of what a storage holds or can hold, which is not a counter."""

GENERATION: Final = Words(
    {"solar", "pv", "photovoltaic", "wind", "turbine", "genset", "photovoltaik", "solaire"}
    | {"photovoltaique", "eolien", "eolienne", "bhkw", "chp"}
)
BATTERY: Final = Words(
    {"battery", "storage", "bess", "ess", "accumulator", "batterie", "speicher", "accumulateur"}
    | {"batteriespeicher", "stockage"}
)
MAIN: Final = Words(
    {"main", "mains", "incomer", "incoming", "utility", "grid", "tgbt", "haupt", "hauptzahler"}
    | {"hauptzaehler", "netzanschluss", "einspeisepunkt", "arrivee", "principal"}
)

BITS: Final = Words(
    {"alarm", "alarms", "warning", "warnings", "fault", "faults", "trip", "bits", "bitfield"}
    | {"alarme", "alarmes", "defaut", "defauts", "storung", "stoerung", "warnung", "warnungen"}
)
STATES: Final = Words(
    {"stat", "status", "state", "mode", "health", "zustand", "betriebsart", "etat"}
)
ONE_STATE: Final = Words({"element", "contact", "kontakt"})
"""Of one thing that is in one state, where several would be bits."""

DIFFERENCE: Final = Words(
    {"difference", "delta", "spread", "differential", "differenz", "spreizung", "ecart"}
)
TEMPERATURE: Final = Words({"temperature", "temp", "temperatur"})
OUTDOOR: Final = Words(
    {"outdoor", "outside", "oat", "weather", "exterior", "aussen", "aussentemperatur", "wetter"}
    | {"exterieure", "exterieur", "meteo"}
)
SUPPLY: Final = Words({"supply", "flow", "vorlauf", "vorlauftemperatur", "depart", "aller"})
RETURN: Final = Words(
    {"return", "rucklauf", "ruecklauf", "rucklauftemperatur", "ruecklauftemperatur", "retour"}
)
"""Of the two pipes of a circuit; English, German and French installers call the first flow too."""

HUMIDITY: Final = Words(
    {"humidity", "rh", "feuchte", "luftfeuchte", "feuchtigkeit", "luftfeuchtigkeit", "humidite"}
    | {"hygrometrie", "hygrometry"}
)
POSITION: Final = Words({"position", "opening", "stellung", "ventilstellung", "ouverture"})
VALVE: Final = Words(
    {"valve", "ventil", "vanne", "damper", "klappe", "registre", "actuator", "stellantrieb"}
    | {"servomoteur", "ventilstellung"}
)
HEALTH: Final = (
    Words({"soh"}),
    Words({"state", "health"}),
    Words({"battery", "health"}),
    Words({"etat", "sante"}),
    Words({"gesundheitszustand"}),
)
OVERLOAD: Final = Words({"overload", "overloads", "uberlast", "ueberlast", "surcharge"})
BYPASS: Final = Words({"bypass", "bp", "umgehung"})
ON_BATTERY: Final = Words({"bat", "batt", "battery", "batterie", "autonomy", "autonomie"})
INPUT: Final = Words({"input", "eingang", "entree"})
OUTPUT: Final = Words({"output", "ausgang", "sortie"})
RUNNING: Final = Words(
    {"operating", "operation", "running", "runtime", "uptime", "working", "hours"}
    | {"betriebsstunden", "betriebszeit", "laufzeit", "stunden", "fonctionnement", "heures"}
)
HOURS: Final = Words({"hours", "hour", "stunden", "betriebsstunden", "heures"})
COUNTS: Final = Words({"number", "count", "counts", "anzahl", "nombre", "quantity", "starts"})
LOAD_RATE: Final = (
    Words({"load", "rate"}),
    Words({"load", "level"}),
    Words({"load", "factor"}),
    Words({"load", "ratio"}),
    Words({"taux", "charge"}),
    Words({"auslastung"}),
    Words({"lastgrad"}),
    Words({"loading"}),
)
LIGHT: Final = Words({"dim", "dimming", "dimmer", "light", "lighting", "brightness", "helligkeit"})
LIGHT_LEVEL: Final = LIGHT | {"eclairage", "beleuchtung", "licht"}

NUMBERED: Final = Words(
    {"inverter", "meter", "panel", "plant", "array", "generator", "turbine", "feeder", "unit"}
    | {"wechselrichter", "zahler", "zaehler", "onduleur", "battery", "bess", "batterie", "rack"}
)
"""Of things that are there several times behind one gateway, each with a number."""

TARIFFS: Final = re.compile(
    r"(?<![a-z0-9])(?:t\d|ht|nt|tarif\w*|tariff\w*|rate \d|peak|offpeak|off-peak|hp|hc|"
    r"heures (?:pleines|creuses)|[12]\.8\.[1-9])(?![a-z0-9])"
)
"""How a register says that it counts a part of the day or week only."""

COMPOUNDS: Final = tuple(
    sorted(
        {"energie", "leistung", "spannung", "bezug", "lieferung", "einspeisung", "ruckspeisung"}
        | {"rueckspeisung", "sollwert", "zahler", "zaehler", "verbrauch", "erzeugung", "produktion"}
        | {"warme", "waerme", "kalte", "kaelte", "kuhl", "kuehl", "heiz", "temperatur", "differenz"}
        | {"betriebsstunden", "stunden", "entladung", "ladung", "entladen", "geladen", "batterie"}
        | {"speicher", "mittelwert", "durchschnitt", "grenzwert", "gesamt", "tages", "monats"}
        | {"jahres", "haupt", "frequenz", "menge", "arbeit", "strom", "wirk", "blind", "schein"}
        | {"solar", "photovoltaik", "auslastung", "kapazitat", "kapazitaet", "teil"}
        | {"vorlauf", "rucklauf", "ruecklauf", "aussen", "feuchte", "ventil", "stellung"},
        key=lambda one: (-len(one), one),
    )
)
"""Parts of German words that are written in one: ``Wirkenergiebezug``."""

OPPOSITES: Final = (
    ("inactive", "active"),
    ("off", "on"),
    ("false", "true"),
    ("no", "yes"),
    ("closed", "open"),
    ("disabled", "enabled"),
    ("stopped", "running"),
    ("normal", "alarm"),
    ("ok", "alarm"),
    ("unoccupied", "occupied"),
    ("absent", "present"),
    ("inaktiv", "aktiv"),
    ("aus", "ein"),
    ("nein", "ja"),
    ("geschlossen", "offen"),
    ("arret", "marche"),
    ("non", "oui"),
    ("ferme", "ouvert"),
    ("inactif", "actif"),
)
"""Pairs of words of a binary point, zero first."""
