{# What the marts of devices share: how long a reading speaks for its gauge, and how settled a day is. #}


{# Readings of int_device_readings, each with its neighbours and how long it holds. #}
{% macro with_neighbours(rows) -%}
    select
        *,
        lead("at") over in_order as next_at,
        lead(value) over in_order as next_value,
        lag(value) over in_order as value_before,
        least(
            coalesce(lead("at") over in_order, horizon_at), "at" + interval 2 hours
        ) as holds_until
    from {{ rows }}
    window in_order as (partition by device_id, quantity order by "at")
{%- endmacro %}


{# Whether the line between a reading and the next one is known: not over more than two hours. #}
{% macro is_known_line(rows) -%}
    {{ rows }}.next_at <= {{ rows }}."at" + interval 2 hours
{%- endmacro %}


{# The value at an instant on the line between a reading and the next one. #}
{% macro on_the_line(value, next_value, rows, instant) -%}
    ({{ value }} + ({{ next_value }} - {{ value }})
        * ({{ seconds_between(rows ~ '."at"', instant) }})
        / ({{ seconds_between(rows ~ '."at"', rows ~ ".next_at") }}))
{%- endmacro %}


{# The seconds that a reading holds within a day, from `affected_periods`. #}
{% macro held_in_day(rows) -%}
    {{ seconds_between(
        "greatest(" ~ rows ~ '."at", affected_periods.starts_at)',
        "least(" ~ rows ~ ".holds_until, affected_periods.ends_at)"
    ) }}
{%- endmacro %}


{#
  The devices that a condition on their points picks, with their site's clock, for every affected day
  since their first reading. From `points` (of int_points), `dim_points` and `affected_periods`.
#}
{% macro days_of_devices(condition) -%}
    select
        points.device_id,
        points.site_id,
        affected_periods.timezone,
        affected_periods.period_start as local_day,
        affected_periods.starts_at,
        affected_periods.ends_at,
        affected_periods.expected_s,
        max(points.horizon_at) as horizon_at,
        min(points.final_before) as final_before,
        count(*) filter (where not points.is_confirmed) as unconfirmed_points
    from points
    inner join affected_periods using (timezone)
    where
        affected_periods.grain = 'day'
        and ({{ condition }})
        and affected_periods.starts_at < points.horizon_at
        and affected_periods.ends_at > coalesce(points.first_reading_at, points.first_start_at)
    group by all
{%- endmacro %}


{#
  The status of a device's day: `energy` is that of its registers, null where it has none; `share` is
  what is covered.
#}
{% macro device_day_status(days, share, energy="null") -%}
    case
        when {{ energy }} in ('disputed', 'incomplete', 'open') then {{ energy }}
        when {{ days }}.ends_at > {{ days }}.horizon_at then 'open'
        when {{ days }}.ends_at > {{ days }}.final_before then 'closed'
        when coalesce({{ share }}, 0) < 0.99 then 'partial'
        when {{ days }}.unconfirmed_points > 0 then 'unconfirmed'
        else coalesce({{ energy }}, 'final')
    end
{%- endmacro %}


{#
  What a cubic metre of water carries for one kelvin, Wh: 4.18 MJ, of water at 20 °C (IAPWS-95: 998.2
  kg/m3 x 4.184 kJ/kg K). At 60 °C it is 1.6 % less, with a third of glycol 5 to 8 %.
#}
{% macro water_wh_per_m3_k() -%}
    1161.1111
{%- endmacro %}
