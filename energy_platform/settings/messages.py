"""The settings of what leaves the machine by itself: alerts and reports."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from energy_platform.settings.section import ConnectedSection
from energy_platform.settings.values import YEAR_S, Minutes, number_or_off


class AlertSettings(ConnectedSection):
    """Messages that leave the machine (variables ``ENERGY_PLATFORM_ALERT_*``)."""

    model_config = SettingsConfigDict(env_prefix="ENERGY_PLATFORM_ALERT_")

    mail_url: SecretStr | None = Field(
        None,
        description="Mail, as an apprise address: mailtos://user:password@smtp.example.com?to=….",
    )
    slack_url: SecretStr | None = Field(
        None, description="Slack: slack://TokenA/TokenB/TokenC, or the webhook's https address."
    )
    teams_url: SecretStr | None = Field(
        None, description="Teams: workflows://host/workflow/signature, or the webhook's address."
    )
    webhook_url: SecretStr | None = Field(
        None, description="Any webhook that takes JSON: jsons://host/path."
    )
    name: str | None = Field(
        None, description="Name of this installation in messages; empty: the host's name."
    )
    heartbeat_url: SecretStr | None = Field(
        None,
        description="Asked with GET while the daemon lives; the service behind it (a dead man's "
        "switch) tells you when it stops.",
    )
    heartbeat_s: int = Field(60, ge=30, le=YEAR_S, description="Seconds between two heartbeats.")
    digest_hour: Annotated[int | Literal["off"], number_or_off(23)] = Field(
        7, description="Hour (UTC) of the daily list of what still stands, or off."
    )
    clear_min: int = Field(
        10, ge=0, le=525_600, description="Minutes a condition must be gone before the all-clear."
    )
    run_failed_min: Minutes = Field(5, description="Minutes until a failed run is told, or off.")
    run_died_min: Minutes = Field(0, description="Minutes until a run that died is told, or off.")
    source_silent_min: Minutes = Field(
        120, description="Minutes until a silent source is told, or off."
    )
    source_refused_min: Minutes = Field(
        0, description="Minutes until a refused login is told, or off."
    )
    days_missing_min: Minutes = Field(
        720, description="Minutes after its end until a missing or partial day is told, or off."
    )
    stream_stuck_min: Minutes = Field(
        60, description="Minutes until a stream that gets nothing through is told, or off."
    )
    stream_refused_min: Minutes = Field(
        0, description="Minutes until refused packets are told, or off."
    )
    check_failed_min: Minutes = Field(
        0, description="Minutes until a failed blocking check is told, or off."
    )
    figure_disputed_min: Minutes = Field(
        0, description="Minutes until refused energy of a point is told, or off."
    )
    figures_restated_min: Minutes = Field(
        0, description="Minutes until changed figures that were final are told, or off."
    )
    disk_nearly_full_min: Minutes = Field(
        0, description="Minutes until a nearly full disk is told, or off."
    )
    disk_free_mb: int = Field(
        5120, ge=0, le=1_000_000_000, description="Megabytes that must be left on the disk."
    )
    disk_days: int = Field(
        14, ge=0, le=3650, description="Days the disk must last at its recent growth."
    )
    publication_old_min: Minutes = Field(
        120, description="Minutes the published file may lag behind the lake, or off."
    )
    service_unhealthy_min: Minutes = Field(
        5,
        description="Minutes until `energy-platform health --alert` tells that the UI, the daemon "
        "or the code location is not well, or off.",
    )


class ReportSettings(ConnectedSection):
    """The reports, and who gets them by mail (variables ``ENERGY_PLATFORM_REPORT_*``)."""

    model_config = SettingsConfigDict(env_prefix="ENERGY_PLATFORM_REPORT_")

    language: str = Field(
        "en", description="Language of the reports: a catalogue in energy_platform/report/texts."
    )
    mail: Literal["off", "weekly", "monthly"] = Field(
        "off",
        description="Whether reports are sent: off, weekly or monthly, when the period is over.",
    )
    url: SecretStr | None = Field(
        None,
        description="Who gets them, as an apprise address; empty: those of the alerts' mail.",
    )
    after_days: int = Field(
        3,
        ge=0,
        le=60,
        description="Days after the end of the period until they are sent although not all is "
        "final; the mail says what is missing.",
    )
