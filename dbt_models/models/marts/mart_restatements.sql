-- The journal of what was said is kept outside of what is rebuilt; a publication adds to this table
-- what it restates itself.
with restatements as (

    select * from {{ source("journal", "restatements") }}

)

select
    scope,
    scope_id,
    site_id,
    figure,
    grain,
    period_start,
    unit,
    old_value,
    new_value,
    new_value - old_value as change,
    old_said_at,
    restated_at,
    why
from restatements
order by scope, scope_id, site_id, figure, grain, period_start, restated_at
