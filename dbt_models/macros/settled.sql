{#
  The least settled status of some rows, as `mart_site_energy` has it: disputed, incomplete, open,
  partial, closed or final; unconfirmed in place of final where a point is still a guess.
#}
{% macro least_settled(status="status", is_unconfirmed="is_unconfirmed") -%}
    case
        {%- for one in ["disputed", "incomplete", "open", "partial", "closed"] %}
        when bool_or({{ status }} = '{{ one }}') then '{{ one }}'
        {%- endfor %}
        when bool_or({{ is_unconfirmed }}) then 'unconfirmed'
        else 'final'
    end
{%- endmacro %}


{#
  The status of a period of days, from `sums` (settled: the least settled of its days; covered_share;
  ends_at) and `reach` (final_before). Enough covered, a day that is partial spoils nothing.
#}
{% macro period_of_days_status() -%}
    case
        when sums.settled = 'disputed' then 'disputed'
        when coalesce(sums.ends_at > reach.final_before, true) then 'open'
        when sums.covered_share < 0.99 then 'partial'
        when sums.settled in ('incomplete', 'open', 'partial', 'closed')
            then case when sums.unconfirmed_points > 0 then 'unconfirmed' else 'final' end
        else sums.settled
    end
{%- endmacro %}
